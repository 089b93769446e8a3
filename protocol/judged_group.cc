#include "protocol/judged_group.h"

#include <algorithm>
#include <string>
#include <utility>

#include "psephos/codec.h"
#include "psephos/crypto/hash.h"

namespace psephos::protocol {

namespace {

constexpr std::size_t kMaxMessageBytes = std::size_t{1} << 16;
constexpr std::size_t kIssuanceBytes = 1 + 32 + 4 + 32;

// What a group's entries are without the hash in front, and which are too short to have one.
struct Payloads {
  std::vector<ByteView> views;
  std::map<std::size_t, Error> too_short;
};

Payloads payloads_of(std::span<const LogReader::Bundle> bundles) {
  Payloads payloads;
  for (const LogReader::Bundle& bundle : bundles) {
    for (const ByteView entry : bundle.entries) {
      const auto payload = payload_of(entry);
      if (!payload.has_value()) {
        payloads.too_short.emplace(payloads.views.size(), payload.error());
      }
      payloads.views.push_back(payload.value_or(ByteView()));
    }
  }
  return payloads;
}

void judge_ballots(JudgedGroup& group, const Election& election, const Payloads& payloads,
                   const crypto::Evaluator& evaluator) {
  std::vector<JudgedEntry> judged = judge_box_entries(election, payloads.views, evaluator);
  for (const auto& [i, error] : payloads.too_short) {
    judged[i].faults = {Fault{Check::ballots, {}, error.message, {}}};
  }
  std::vector<const BoxEntry*> decoded;
  for (JudgedEntry& entry : judged) {
    JudgedGroup::Entry& kept = group.entries.emplace_back();
    kept.faults = std::move(entry.faults);
    if (entry.entry.has_value()) {
      kept.use = credential_use(election.manifest(), *entry.entry);
      decoded.push_back(&*entry.entry);
    }
  }
  group.sums = sum_ballots(decoded, evaluator);
}

void judge_issuances(JudgedGroup& group, const Manifest& manifest, const Payloads& payloads) {
  for (std::size_t i = 0; i < payloads.views.size(); ++i) {
    const auto too_short = payloads.too_short.find(i);
    group.issuances.push_back(too_short == payloads.too_short.end()
                                  ? Issuance::decode(payloads.views[i], manifest)
                                  : std::unexpected(too_short->second));
  }
}

// An optional field: a byte 0, or 1 and the field.
template <class Value, class Write>
void write_optional(Writer& out, const std::optional<Value>& value, const Write& write) {
  out.u8(value.has_value() ? 1 : 0);
  if (value.has_value()) {
    write(*value);
  }
}
Result<bool> read_flag(Reader& in, std::string_view field) {
  PSEPHOS_TRY(const std::uint8_t flag, in.u8(field));
  if (flag > 1) {
    return fail(Errc::malformed, std::string(field) + ": is neither 0 nor 1");
  }
  return flag == 1;
}

void write_text(Writer& out, const std::string& text) {
  PSEPHOS_CHECK(text.size() <= kMaxMessageBytes);
  out.var(std::string_view(text));
}
Result<std::string> read_text(Reader& in, std::string_view field) {
  PSEPHOS_TRY(const ByteView bytes, in.var(kMaxMessageBytes, field));
  return std::string(as_text(bytes));
}
Result<std::optional<Error>> read_error(Reader& in, std::string_view field) {
  PSEPHOS_TRY(const bool is_there, read_flag(in, field));
  if (!is_there) {
    return std::nullopt;
  }
  PSEPHOS_TRY(std::string message, read_text(in, field));
  return Error{Errc::rejected, std::move(message)};
}

void write_bundle(Writer& out, const BundleAudit& bundle) {
  write_optional(out, bundle.previous, [&](const Digest32& hash) { out.raw(hash); });
  out.raw(bundle.last).raw(bundle.root);
  write_optional(out, bundle.broken, [&](const Error& error) { write_text(out, error.message); });
}
Result<BundleAudit> read_bundle(Reader& in, std::uint64_t first, std::uint32_t size) {
  BundleAudit bundle;
  bundle.first = first;
  bundle.size = size;
  PSEPHOS_TRY(const bool has_previous, read_flag(in, "first hash"));
  if (has_previous) {
    PSEPHOS_TRY(bundle.previous, in.digest("first hash"));
  }
  PSEPHOS_TRY(bundle.last, in.digest("last hash"));
  PSEPHOS_TRY(bundle.root, in.digest("root"));
  PSEPHOS_TRY(bundle.broken, read_error(in, "break"));
  // A bundle without a whole first hash is broken, or the fold would let it pass.
  if (!bundle.previous.has_value() && !bundle.broken.has_value()) {
    return fail(Errc::malformed, "first hash: is missing");
  }
  return bundle;
}

void write_faults(Writer& out, std::span<const Fault> faults) {
  out.u32(static_cast<std::uint32_t>(faults.size()));
  for (const Fault& fault : faults) {
    out.u8(static_cast<std::uint8_t>(fault.check));
    write_text(out, fault.message);
    write_text(out, fault.equation);
  }
}
Result<std::vector<Fault>> read_faults(Reader& in) {
  PSEPHOS_TRY(const std::uint32_t count, in.u32("number of faults"));
  std::vector<Fault> faults;
  for (std::uint32_t i = 0; i < count; ++i) {
    PSEPHOS_TRY(const std::uint8_t check, in.u8("check"));
    if (check < 1 || check > kNumChecks) {
      return fail(Errc::malformed, "there is no check V" + std::to_string(check));
    }
    Fault fault{.check = Check{check}, .place = {}, .message = {}, .equation = {}};
    PSEPHOS_TRY(fault.message, read_text(in, "message"));
    PSEPHOS_TRY(fault.equation, read_text(in, "equation"));
    faults.push_back(std::move(fault));
  }
  return faults;
}

// In an election without challenges nobody asks for the ciphertexts' digest.
bool has_digest(const Manifest& manifest) { return manifest.max_challenges > 0; }

void write_entry(Writer& out, const JudgedGroup::Entry& entry, const Manifest& manifest) {
  write_optional(out, entry.use, [&](const CredentialUse& use) {
    out.raw(use.pk).u32(use.style).u32(use.sequence).u8(use.is_ballot ? 1 : 0);
    if (has_digest(manifest)) {
      out.raw(use.ciphertexts);
    }
  });
  write_faults(out, entry.faults);
}
Result<JudgedGroup::Entry> read_entry(Reader& in, const Manifest& manifest) {
  JudgedGroup::Entry entry;
  PSEPHOS_TRY(const bool has_use, read_flag(in, "entry"));
  if (has_use) {
    CredentialUse& use = entry.use.emplace();
    PSEPHOS_TRY(use.pk, in.digest("credential key"));
    PSEPHOS_TRY(use.style, in.u32("style"));
    if (use.style >= manifest.num_styles()) {
      return fail(Errc::malformed, "there is no style " + std::to_string(use.style));
    }
    PSEPHOS_TRY(use.sequence, in.u32("sequence"));
    PSEPHOS_TRY(use.is_ballot, read_flag(in, "kind of entry"));
    if (has_digest(manifest)) {
      PSEPHOS_TRY(use.ciphertexts, in.digest("digest of ciphertexts"));
    }
  }
  PSEPHOS_TRY(entry.faults, read_faults(in));
  // What did not decode is a fault, or the fold would let it pass.
  if (!entry.use.has_value() && entry.faults.empty()) {
    return fail(Errc::malformed, "an entry is missing");
  }
  return entry;
}

void write_sums(Writer& out, const SumsPerStyle& sums) {
  out.u32(static_cast<std::uint32_t>(sums.size()));
  for (const auto& [style, of_style] : sums) {
    out.u32(style).u64(of_style.ballots).raw(crypto::encode_all(of_style.sums));
  }
}
Result<SumsPerStyle> read_sums(Reader& in, const Manifest& manifest) {
  PSEPHOS_TRY(const std::uint32_t count, in.u32("number of styles"));
  SumsPerStyle sums;
  for (std::uint32_t i = 0; i < count; ++i) {
    PSEPHOS_TRY(const std::uint32_t style, in.u32("style"));
    if (style >= manifest.num_styles() || (!sums.empty() && style <= sums.rbegin()->first)) {
      return fail(Errc::malformed, "style " + std::to_string(style) + " of the sums");
    }
    BallotSums& of_style = sums[style];
    PSEPHOS_TRY(of_style.ballots, in.u64("number of ballots"));
    for (std::size_t o = 0; o < manifest.styles[style].form.num_options(); ++o) {
      crypto::Ciphertext& sum = of_style.sums.emplace_back();
      PSEPHOS_TRY(sum.alpha, crypto::Point::decode(in, crypto::Identity::accepted, "sum"));
      PSEPHOS_TRY(sum.beta, crypto::Point::decode(in, crypto::Identity::accepted, "sum"));
    }
  }
  return sums;
}

void write_issuance(Writer& out, const Result<Issuance>& issuance) {
  out.u8(issuance.has_value() ? 1 : 0);
  if (issuance.has_value()) {
    out.raw(issuance->encode());
  } else {
    write_text(out, issuance.error().message);
  }
}
Result<Result<Issuance>> read_issuance(Reader& in, const Manifest& manifest) {
  PSEPHOS_TRY(const bool decoded, read_flag(in, "issuance"));
  if (!decoded) {
    PSEPHOS_TRY(std::string message, read_text(in, "message"));
    return Result<Issuance>(fail(Errc::malformed, std::move(message)));
  }
  PSEPHOS_TRY(const ByteView bytes, in.raw(kIssuanceBytes, "issuance"));
  PSEPHOS_TRY(const Issuance issuance, Issuance::decode(bytes, manifest));
  return Result<Issuance>(issuance);
}

// The number of ballots that entries and sums speak of must be one.
bool sums_fit(const JudgedGroup& group) {
  std::map<std::uint32_t, std::uint64_t> ballots;
  for (const JudgedGroup::Entry& entry : group.entries) {
    if (entry.use.has_value() && entry.use->is_ballot) {
      ++ballots[entry.use->style];
    }
  }
  return std::ranges::equal(ballots, group.sums, [](const auto& counted, const auto& summed) {
    return counted.first == summed.first && counted.second == summed.second.ballots;
  });
}

}  // namespace

Bytes JudgedGroup::encode(const Manifest& manifest) const {
  Writer out;
  out.u32(static_cast<std::uint32_t>(bundles.size()));
  for (const BundleAudit& bundle : bundles) {
    write_bundle(out, bundle);
  }
  write_optional(out, unreadable, [&](const Error& error) { write_text(out, error.message); });
  for (const Entry& entry : entries) {
    write_entry(out, entry, manifest);
  }
  for (const Result<Issuance>& issuance : issuances) {
    write_issuance(out, issuance);
  }
  write_sums(out, sums);
  return std::move(out).take();
}

Result<JudgedGroup> JudgedGroup::decode(ByteView bytes, LogKind kind, const Manifest& manifest,
                                        const LogReader& reader, std::uint64_t first_bundle,
                                        std::uint64_t num_bundles) {
  Reader in(bytes);
  JudgedGroup group;
  PSEPHOS_TRY(const std::uint32_t count, in.u32("number of bundles"));
  if (count > num_bundles) {
    return fail(Errc::malformed, "holds more bundles than it says");
  }
  std::uint64_t num_entries = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint64_t first = (first_bundle + i) * crypto::kTileWidth;
    const auto size =
        static_cast<std::uint32_t>(std::min(crypto::kTileWidth, reader.tree().size - first));
    PSEPHOS_TRY(BundleAudit bundle, read_bundle(in, first, size));
    group.bundles.push_back(std::move(bundle));
    num_entries += size;
  }
  PSEPHOS_TRY(group.unreadable, read_error(in, "unreadable bundle"));
  if (count < num_bundles && !group.unreadable.has_value()) {
    return fail(Errc::malformed, "lacks bundles");
  }
  for (std::uint64_t i = 0; i < num_entries; ++i) {
    if (kind == LogKind::box) {
      PSEPHOS_TRY(Entry entry, read_entry(in, manifest));
      group.entries.push_back(std::move(entry));
    } else {
      PSEPHOS_TRY(Result<Issuance> issuance, read_issuance(in, manifest));
      group.issuances.push_back(std::move(issuance));
    }
  }
  PSEPHOS_TRY(group.sums, read_sums(in, manifest));
  PSEPHOS_CHECK_OK(in.finish("group of bundles"));
  if (!sums_fit(group)) {
    return fail(Errc::malformed, "its sums are not of its ballots");
  }
  return group;
}

JudgedGroup judge_group(LogKind kind, const Election& election, const LogReader& reader,
                        std::uint64_t first_bundle, std::uint64_t num_bundles,
                        const crypto::Evaluator& evaluator) {
  JudgedGroup group;
  std::vector<LogReader::Bundle> bundles;
  for (std::uint64_t i = 0; i < num_bundles; ++i) {
    auto bundle = reader.bundle(first_bundle + i);
    if (!bundle.has_value()) {
      group.unreadable = bundle.error();
      break;
    }
    group.bundles.push_back(reader.audit(*bundle));
    bundles.push_back(std::move(*bundle));
  }
  const Payloads payloads = payloads_of(bundles);
  if (kind == LogKind::box) {
    judge_ballots(group, election, payloads, evaluator);
  } else {
    judge_issuances(group, election.manifest(), payloads);
  }
  return group;
}

std::uint64_t num_faults(const JudgedGroup& group) {
  std::uint64_t count = group.unreadable.has_value() ? 1 : 0;
  for (const BundleAudit& bundle : group.bundles) {
    count += bundle.broken.has_value() ? 1U : 0U;
  }
  for (const JudgedGroup::Entry& entry : group.entries) {
    count += entry.faults.size();
  }
  for (const Result<Issuance>& issuance : group.issuances) {
    count += issuance.has_value() ? 0U : 1U;
  }
  return count;
}

SumsPerStyle sum_ballots(std::span<const BoxEntry* const> entries,
                         const crypto::Evaluator& evaluator) {
  std::map<std::uint32_t, std::vector<const crypto::EncryptedBallot*>> ballots;
  for (const BoxEntry* entry : entries) {
    if (std::holds_alternative<Ballot>(*entry)) {
      ballots[style_of(*entry)].push_back(&encrypted_of(*entry));
    }
  }
  SumsPerStyle result;
  for (const auto& [style, of_style] : ballots) {
    BallotSums& sums = result[style];
    sums.ballots = of_style.size();
    std::vector<const crypto::Point*> alphas(of_style.size());
    std::vector<const crypto::Point*> betas(of_style.size());
    for (std::size_t option = 0; option < of_style.front()->ciphertexts.size(); ++option) {
      for (std::size_t i = 0; i < of_style.size(); ++i) {
        alphas[i] = &of_style[i]->ciphertexts[option].alpha;
        betas[i] = &of_style[i]->ciphertexts[option].beta;
      }
      sums.sums.push_back({.alpha = evaluator.sum(alphas), .beta = evaluator.sum(betas)});
    }
  }
  return result;
}

}  // namespace psephos::protocol
