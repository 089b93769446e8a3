#include "psephos/crypto/relation.h"

namespace psephos::crypto {

namespace {

// Adds s·P to the sum; most scalars of short relations are 0, 1 or −1.
void add_term(Point& sum, const Scalar& s, const Point& p) {
  static const Scalar minus_one = -Scalar::one();
  if (s.is_zero()) {
    return;
  }
  if (s == Scalar::one()) {
    sum = sum + p;
  } else if (s == minus_one) {
    sum = sum - p;
  } else {
    sum = sum + s * p;
  }
}

bool sums_to_identity(std::span<const Point> bases, const LinearRelation& relation) {
  // A statement about nothing is no statement: a verifier rejects by default.
  if (relation.shared.empty() && relation.own.empty()) {
    return false;
  }
  Point sum;
  for (const auto& [base, scalar] : relation.shared) {
    if (base >= bases.size()) {
      return false;
    }
    add_term(sum, scalar, bases[base]);
  }
  for (const auto& [scalar, point] : relation.own) {
    add_term(sum, scalar, point);
  }
  return sum.is_identity();
}

}  // namespace

Bases::Bases(const Point& joint_key, std::size_t num_generators) {
  const Generators generators(num_generators);
  points_ = {Point::base(), joint_key, generators.h()};
  points_.reserve(points_.size() + num_generators);
  for (std::size_t k = 0; k < num_generators; ++k) {
    points_.push_back(generators.g(k));
  }
}

bool Evaluator::holds(const LinearRelation& relation) const {
  return failing({}, {&relation, 1}).empty();
}

std::vector<std::size_t> IndividualEvaluator::failing(
    std::span<const Point> bases, std::span<const LinearRelation> relations) const {
  std::vector<std::size_t> positions;
  for (std::size_t i = 0; i < relations.size(); ++i) {
    if (!sums_to_identity(bases, relations[i])) {
      positions.push_back(i);
    }
  }
  return positions;
}

std::vector<std::size_t> IndividualEvaluator::not_elements(std::span<Point* const> points) const {
  std::vector<std::size_t> positions;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!Point::decode(points[i]->bytes(), Identity::accepted).has_value()) {
      positions.push_back(i);
    }
  }
  return positions;
}

Point IndividualEvaluator::sum(std::span<const Point* const> points) const {
  Point total;
  for (const Point* point : points) {
    total = total + *point;
  }
  return total;
}

std::vector<std::size_t> IndividualEvaluator::not_signed(
    const RsaPublicKey& key, BlindRsaVariant variant,
    std::span<const RsaPublicKey::Signed> signatures) const {
  return key.failing(variant, signatures, false);
}

}  // namespace psephos::crypto
