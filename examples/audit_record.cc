// Audits a published record with the verifying half of the library alone: it links no code that
// could hold a key. Usage: audit_record DIRECTORY
#include <cstdio>
#include <string>

#include "psephos/crypto/batch_evaluator.h"
#include "psephos/protocol/verify.h"
#include "psephos/runtime/directory.h"
#include "psephos/runtime/thread_executor.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: audit_record DIRECTORY\n");
    return 2;
  }
  const psephos::runtime::DirectoryRecord record(argv[1]);
  psephos::SystemRandom random;
  const psephos::crypto::BatchEvaluator evaluator(random);
  psephos::runtime::ThreadExecutor executor;  // all cores

  const psephos::protocol::Report report = psephos::protocol::verify({.record = record,
                                                                      .evaluator = evaluator,
                                                                      .executor = executor,
                                                                      .receipts = {},
                                                                      .checkpoints = {},
                                                                      .progress = {}});

  for (const auto& check : report.checks) {
    std::printf("%-4s %-32s %s\n", id(check.check).c_str(), std::string(title(check.check)).c_str(),
                std::string(name(check.status)).c_str());
    for (const auto& fault : check.faults) {
      std::printf("     %s: %s\n", fault.place.c_str(), fault.message.c_str());
    }
  }
  std::printf("%llu ballots: %s\n", static_cast<unsigned long long>(report.num_ballots),
              report.accepted() ? "accepted" : "REJECTED");
  return report.accepted() ? 0 : 1;
}
