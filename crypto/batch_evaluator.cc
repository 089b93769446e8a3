#include "psephos/crypto/batch_evaluator.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "crypto/point_access.h"
#include "crypto/vartime/msm.h"

namespace psephos::crypto {

namespace {

using vartime::AffinePoint;
using vartime::Backend;
using vartime::Coordinates;

constexpr std::size_t kWeightBytes = 16;

const Backend* find_backend(CurveBackend backend) {
  switch (backend) {
    case CurveBackend::portable:
      return &vartime::kPortable;
#ifdef __x86_64__
    case CurveBackend::avx2:
      return &vartime::kAvx2;
    case CurveBackend::ifma:
      return &vartime::kIfma;
#else
    case CurveBackend::avx2:
    case CurveBackend::ifma:
      break;
#endif
  }
  return nullptr;
}

const Backend& backend_of(CurveBackend backend) {
  const Backend* const found = find_backend(backend);
  PSEPHOS_CHECK(found != nullptr);
  return *found;
}

// decode_each calls decoded(i, point) for each encoding that is one of an element. Some at a time:
// they stay in a core's cache.
template <class Encodings, class Decoded>
void decode_each(const Backend& backend, std::size_t size, const Encodings& encoding,
                 const Decoded& decoded) {
  constexpr std::size_t kAtOnce = 256;
  std::array<std::uint8_t, kAtOnce * Point::kSize> encodings;
  std::array<AffinePoint, kAtOnce> points;
  std::array<std::uint8_t, kAtOnce> valid;
  for (std::size_t at = 0; at < size; at += kAtOnce) {
    const std::size_t count = std::min(kAtOnce, size - at);
    for (std::size_t i = 0; i < count; ++i) {
      std::memcpy(&encodings[i * Point::kSize], encoding(at + i).data(), Point::kSize);
    }
    backend.decode(encodings.data(), count, points.data(), valid.data());
    for (std::size_t i = 0; i < count; ++i) {
      decoded(at + i, points[i], valid[i] == 1);
    }
  }
}

// Where the coordinates of points are, of which some have them and some not. The points must stay
// where they are.
class Located {
 public:
  explicit Located(const Backend& backend) : backend_(&backend) {}

  void reserve(std::size_t points) { coordinates_.reserve(points); }
  void add(const Point& point) {
    coordinates_.push_back(PointAccess::coordinates(point));
    if (coordinates_.back() == nullptr) {
      unknown_.push_back({.place = coordinates_.size() - 1, .point = &point});
    }
  }
  // In the order in which the points were added, when all have been.
  std::span<const Coordinates> coordinates() {
    decoded_.resize(unknown_.size());
    decode_each(
        *backend_, unknown_.size(),
        [&](std::size_t i) -> const auto& { return unknown_[i].point->bytes(); },
        [&](std::size_t i, const AffinePoint& point, bool valid) {
          PSEPHOS_CHECK(valid);  // every Point is an element
          decoded_[i] = point;
          coordinates_[unknown_[i].place] = decoded_[i].x.l;
        });
    return coordinates_;
  }

 private:
  struct Unknown {
    std::size_t place;
    const Point* point;
  };
  const Backend* backend_;
  std::vector<Coordinates> coordinates_;
  std::vector<Unknown> unknown_;
  std::vector<AffinePoint> decoded_;
};

// A random integer of 128 bits.
ScalarWords weight(const std::uint8_t* bytes) {
  ScalarWords words{};
  for (unsigned i = 0; i < kWeightBytes; ++i) {
    words[i / 8] |= std::uint64_t{bytes[i]} << (8 * (i % 8));
  }
  return words;
}

// Batch is one call of failing: the relations that can be evaluated, their weights, their points.
class Batch {
 public:
  Batch(const Backend& backend, std::span<const Point> bases,
        std::span<const LinearRelation> relations, Random& random)
      : relations_(relations), bases_(backend), own_(backend), msm_(backend) {
    for (const Point& base : bases) {
      bases_.add(base);
    }
    base_points_ = bases_.coordinates();
    std::size_t own = 0;
    for (const LinearRelation& relation : relations) {
      own += relation.own.size();
    }
    own_.reserve(own);
    members_.reserve(relations.size());
    for (std::size_t i = 0; i < relations.size(); ++i) {
      const LinearRelation& relation = relations[i];
      const bool names_bases = std::ranges::all_of(
          relation.shared,
          [&](const LinearRelation::Shared& term) { return term.base < bases.size(); });
      // A statement about nothing is no statement: a verifier rejects by default.
      if (!names_bases || (relation.shared.empty() && relation.own.empty())) {
        failing_.push_back(i);
        continue;
      }
      members_.push_back({.relation = i, .first_own = num_own_});
      num_own_ += relation.own.size();
      for (const LinearRelation::Own& term : relation.own) {
        own_.add(term.point);
      }
    }
    own_points_ = own_.coordinates();
    // Drawn last, when nothing that is judged can change any more.
    std::vector<std::uint8_t> bytes(members_.size() * kWeightBytes);
    random.fill(bytes);
    for (std::size_t m = 0; m < members_.size(); ++m) {
      members_[m].weight = weight(&bytes[m * kWeightBytes]);
    }
  }

  std::vector<std::size_t> failing() {
    if (!members_.empty()) {
      search(0, members_.size(), sum(0, members_.size()));
      std::ranges::sort(failing_);
    }
    return std::move(failing_);
  }

 private:
  struct Member {
    std::size_t relation;
    std::size_t first_own;
    ScalarWords weight{};
  };

  // Σ weight·relation over members [from, to).
  vartime::ExtendedPoint sum(std::size_t from, std::size_t to) {
    static const ScalarWords one = ScalarAccess::words(Scalar::one());
    static const ScalarWords minus_one = ScalarAccess::words(-Scalar::one());
    const std::size_t last_own = to < members_.size() ? members_[to].first_own : num_own_;
    msm_.clear(last_own - members_[from].first_own + base_points_.size());
    std::vector<ScalarWords> shared(base_points_.size());
    for (std::size_t m = from; m < to; ++m) {
      const Member& member = members_[m];
      const LinearRelation& relation = relations_[member.relation];
      const ScalarWords times = to_montgomery(member.weight);
      for (const auto& [base, scalar] : relation.shared) {
        shared[base] =
            add_scalars(shared[base], montgomery_product(times, ScalarAccess::words(scalar)));
      }
      for (std::size_t k = 0; k < relation.own.size(); ++k) {
        const ScalarWords scalar = ScalarAccess::words(relation.own[k].scalar);
        const Coordinates point = own_points_[member.first_own + k];
        // A weight alone is half as long as a product.
        if (scalar == one || scalar == minus_one) {
          msm_.add({.magnitude = member.weight, .negative = scalar == minus_one}, point);
        } else {
          msm_.add(to_signed_vartime(montgomery_product(times, scalar)), point);
        }
      }
    }
    for (std::size_t base = 0; base < shared.size(); ++base) {
      if (shared[base] != ScalarWords{}) {
        msm_.add(to_signed_vartime(shared[base]), base_points_[base]);
      }
    }
    return msm_.sum_vartime();
  }

  // Finds what fails in [from, to), whose weighted sum is known. The second half's sum is the
  // difference, so each level costs one half.
  void search(std::size_t from, std::size_t to, const vartime::ExtendedPoint& total) {
    if (vartime::is_identity_vartime(total)) {
      return;
    }
    if (to - from == 1) {
      failing_.push_back(members_[from].relation);
      return;
    }
    const std::size_t middle = from + (to - from) / 2;
    const vartime::ExtendedPoint left = sum(from, middle);
    search(from, middle, left);
    search(middle, to, vartime::difference_vartime(total, left));
  }

  std::span<const LinearRelation> relations_;
  Located bases_;
  Located own_;
  std::span<const Coordinates> base_points_;
  std::span<const Coordinates> own_points_;
  std::size_t num_own_ = 0;
  std::vector<Member> members_;
  std::vector<std::size_t> failing_;
  vartime::Msm msm_;
};

}  // namespace

std::string_view name(CurveBackend backend) {
  switch (backend) {
    case CurveBackend::portable:
      return "portable";
    case CurveBackend::avx2:
      return "avx2";
    case CurveBackend::ifma:
      return "ifma";
  }
  return "unknown";
}

bool is_supported(CurveBackend backend) {
  const Backend* const found = find_backend(backend);
  return found != nullptr && found->is_supported();
}

CurveBackend fastest_curve_backend() {
  static const CurveBackend fastest = [] {
    CurveBackend best = CurveBackend::portable;
    for (const CurveBackend backend : kCurveBackends) {
      if (is_supported(backend)) {
        best = backend;
      }
    }
    return best;
  }();
  return fastest;
}

BatchEvaluator::BatchEvaluator(Random& random, CurveBackend backend)
    : random_(&random), backend_(backend) {
  PSEPHOS_CHECK(is_supported(backend));
}

std::vector<std::size_t> BatchEvaluator::failing(std::span<const Point> bases,
                                                 std::span<const LinearRelation> relations) const {
  return Batch(backend_of(backend_), bases, relations, *random_).failing();
}

std::vector<std::size_t> BatchEvaluator::not_elements(std::span<Point* const> points) const {
  std::vector<std::size_t> positions;
  decode_each(
      backend_of(backend_), points.size(),
      [&](std::size_t i) -> const auto& { return points[i]->bytes(); },
      [&](std::size_t i, const AffinePoint& point, bool valid) {
        if (!valid) {
          positions.push_back(i);
          return;
        }
        std::array<std::uint64_t, 10> coordinates;
        static_assert(sizeof(coordinates) == sizeof(point));
        std::memcpy(coordinates.data(), &point, sizeof(coordinates));
        PointAccess::set_coordinates(*points[i], coordinates);
      });
  return positions;
}

Point BatchEvaluator::sum(std::span<const Point* const> points) const {
  Located located(backend_of(backend_));
  located.reserve(points.size());
  for (const Point* point : points) {
    located.add(*point);
  }
  const std::span<const Coordinates> coordinates = located.coordinates();
  vartime::ExtendedPoint total;
  backend_of(backend_).sum(coordinates.data(), coordinates.size(), &total);
  return PointAccess::from_valid(vartime::encode_vartime(total));
}

std::vector<std::size_t> BatchEvaluator::not_signed(
    const RsaPublicKey& key, BlindRsaVariant variant,
    std::span<const RsaPublicKey::Signed> signatures) const {
  return key.failing(variant, signatures, backend_ == CurveBackend::ifma);
}

}  // namespace psephos::crypto
