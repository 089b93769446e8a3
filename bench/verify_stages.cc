// Where the time of a verification goes: one `verify` of a record on one core, with a clock around
// each thing it asks of files and of the evaluator, and the hashing of the logs timed by itself.
//
// usage: verify_stages RECORD [portable|avx2|ifma]      prints a Markdown table
#include <time.h>

#include <cstdio>
#include <string>

#include "psephos/crypto/batch_evaluator.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/verify.h"
#include "psephos/random.h"
#include "psephos/runtime/directory.h"

namespace psephos::bench {
namespace {

// Processor time of this thread, in seconds: other work on the machine disturbs it little.
double now() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// The time since it was made is added to a sum.
class Timer {
 public:
  explicit Timer(double& sum) : sum_(&sum) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { *sum_ += now() - start_; }

 private:
  double* sum_;
  double start_ = now();
};

struct Seconds {
  double files = 0;
  double points = 0;
  double equations = 0;
  double sums = 0;
  double credentials = 0;
};

class TimedEvaluator final : public crypto::Evaluator {
 public:
  TimedEvaluator(const crypto::Evaluator& evaluator, Seconds& seconds)
      : evaluator_(&evaluator), seconds_(&seconds) {}
  [[nodiscard]] std::vector<std::size_t> failing(
      std::span<const crypto::Point> bases,
      std::span<const crypto::LinearRelation> relations) const override {
    const Timer timer(seconds_->equations);
    return evaluator_->failing(bases, relations);
  }
  [[nodiscard]] std::vector<std::size_t> not_elements(
      std::span<crypto::Point* const> points) const override {
    const Timer timer(seconds_->points);
    return evaluator_->not_elements(points);
  }
  [[nodiscard]] crypto::Point sum(std::span<const crypto::Point* const> points) const override {
    const Timer timer(seconds_->sums);
    return evaluator_->sum(points);
  }
  [[nodiscard]] std::vector<std::size_t> not_signed(
      const crypto::RsaPublicKey& key, crypto::BlindRsaVariant variant,
      std::span<const crypto::RsaPublicKey::Signed> signatures) const override {
    const Timer timer(seconds_->credentials);
    return evaluator_->not_signed(key, variant, signatures);
  }

 private:
  const crypto::Evaluator* evaluator_;
  Seconds* seconds_;
};

class TimedRecord final : public protocol::RecordSource {
 public:
  TimedRecord(const protocol::RecordSource& record, Seconds& seconds)
      : record_(&record), seconds_(&seconds) {}
  [[nodiscard]] Result<Bytes> read(const std::string& path, std::size_t max) const override {
    const Timer timer(seconds_->files);
    return record_->read(path, max);
  }
  [[nodiscard]] Result<std::vector<std::string>> list() const override {
    const Timer timer(seconds_->files);
    return record_->list();
  }
  [[nodiscard]] bool exists(const std::string& path) const override {
    return record_->exists(path);
  }

 private:
  const protocol::RecordSource* record_;
  Seconds* seconds_;
};

// Chain, tree and tiles of all logs, without the time to read the files.
double hashing(const runtime::DirectoryRecord& record, const crypto::Evaluator& evaluator) {
  Seconds files;
  const TimedRecord timed(record, files);
  double total = 0;
  const auto main_log = protocol::read_main_log(record, evaluator).value();
  for (const std::string& log : main_log->election()->log_names()) {
    const auto reader =
        protocol::LogReader::open(timed, log, main_log->manifest().log_origin(log)).value();
    for (std::uint64_t b = 0; b < reader.num_bundles(); ++b) {
      const auto bundle = reader.bundle(b).value();
      files.files = 0;
      double with_files = 0;
      {
        const Timer timer(with_files);
        static_cast<void>(reader.audit(bundle));
      }
      total += with_files - files.files;
    }
  }
  return total;
}

int run(const std::string& path, crypto::CurveBackend backend) {
  SystemRandom random;
  const crypto::BatchEvaluator evaluator(random, backend);
  const runtime::DirectoryRecord record(path);
  Seconds seconds;
  const TimedEvaluator timed_evaluator(evaluator, seconds);
  const TimedRecord timed_record(record, seconds);
  protocol::SerialExecutor serial;
  protocol::Report report;
  double total = 0;
  {
    const Timer timer(total);
    report = protocol::verify({.record = timed_record,
                               .evaluator = timed_evaluator,
                               .executor = serial,
                               .receipts = {},
                               .checkpoints = {},
                               .progress = {}});
  }
  if (!report.accepted() || report.num_ballots == 0) {
    std::fprintf(stderr, "verify_stages: %s is not a record of ballots that verifies\n",
                 path.c_str());
    return 1;
  }
  const double hashed = hashing(record, evaluator);
  const double rest = total - seconds.files - seconds.points - seconds.equations - seconds.sums -
                      seconds.credentials - hashed;
  std::printf("%llu ballots, %s, one core\n\n| stage | µs per ballot | share |\n|---|---|---|\n",
              static_cast<unsigned long long>(report.num_ballots),
              std::string(crypto::name(backend)).c_str());
  const auto row = [&](const char* stage, double time) {
    std::printf("| %s | %.1f | %.0f %% |\n", stage,
                1e6 * time / static_cast<double>(report.num_ballots), 100 * time / total);
  };
  row("reading files", seconds.files);
  row("hashing: chain, tree, tiles", hashed);
  row("decoding points", seconds.points);
  row("registrars' signatures", seconds.credentials);
  row("equations, as one sum", seconds.equations);
  row("sums of ciphertexts", seconds.sums);
  row("the rest: parsing, challenges, one ballot per credential", rest);
  row("all", total);
  return 0;
}

}  // namespace
}  // namespace psephos::bench

int main(int argc, char** argv) {
  using psephos::crypto::CurveBackend;
  CurveBackend backend = psephos::crypto::fastest_curve_backend();
  bool known = argc == 2;
  for (const CurveBackend candidate : psephos::crypto::kCurveBackends) {
    if (argc == 3 && psephos::crypto::name(candidate) == argv[2]) {
      backend = candidate;
      known = psephos::crypto::is_supported(candidate);
    }
  }
  if (!known) {
    std::fprintf(stderr, "usage: verify_stages RECORD [portable|avx2|ifma]\n");
    return 2;
  }
  return psephos::bench::run(argv[1], backend);
}
