// Reads ballots of psephos_ballot.json.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/crypto/support.h"
#include "tests/support/vectors.h"

namespace psephos::crypto {

// VectorForms compiles the contests of the file; ballot_form_test checks them against M, L and t.
class VectorForms {
 public:
  explicit VectorForms(const test::Field& root) {
    for (const auto& [form_name, item] : root["forms"].members()) {
      std::vector<ContestRule> contests;
      for (const test::Field& contest : item["contests"].array()) {
        ContestRule rule{.options = number(contest, "options", 0),
                         .range = number(contest, "range", 1),
                         .min = number(contest, "min", 0),
                         .max = 0};
        rule.max = number(contest, "max", rule.options * rule.range);
        contests.push_back(rule);
      }
      forms_.emplace(form_name, BallotForm::compile(contests).value());
    }
    root.ignore("forms", "ballot_form_test");
  }

  // The context of a ballot; an error is one of its joint key's bytes.
  [[nodiscard]] Result<BallotContext> context(const test::Field& ballot) const {
    const BallotForm& form = forms_.at(ballot["form"].str());
    BallotContext context{.election_id = unhex32(ballot["election"].str()).value(),
                          .style = static_cast<std::uint32_t>(ballot["style"].u64()),
                          .form = form,
                          .bases = nullptr};
    PSEPHOS_TRY(const Point key, Point::decode(ballot["joint_key"].hex(), Identity::refused));
    context.bases = std::make_shared<const Bases>(key, form.num_bits());
    return context;
  }

 private:
  static std::uint32_t number(const test::Field& item, const char* key, std::uint32_t otherwise) {
    return item.has(key) ? static_cast<std::uint32_t>(item[key].u64()) : otherwise;
  }
  std::map<std::string, BallotForm> forms_;
};

inline std::uint32_t sequence(const test::Field& ballot) {
  return static_cast<std::uint32_t>(ballot["sequence"].u64());
}

}  // namespace psephos::crypto
