// An election whose opening is published, in a directory that disappears, and services on it in
// this process, without a daemon around them.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/log_writer.h"
#include "psephos/runtime/directory.h"

#include "src/server/box_service.h"
#include "src/server/election_record.h"
#include "src/server/registrar_service.h"
#include "tests/record/forge.h"

namespace psephos::server {

// Observer counts the reports that a store failed.
class Observer final : public BoxObserver, public RegistrarObserver {
 public:
  void on_stage(Stage /*stage*/, double /*seconds*/) override {}
  void on_batch(std::size_t /*entries*/) override {}
  void on_outcome(BoxObserver::Outcome /*outcome*/, const protocol::Fault* /*fault*/) override {}
  void on_store(const Error* error) override { count(error); }
  void on_export(const Error* /*error*/) override {}
  void on_commit(double /*seconds*/) override {}
  void on_issuance(RegistrarObserver::Outcome /*outcome*/, double /*seconds*/) override {}
  void on_registrar_store(const Error* error) override { count(error); }
  void on_registrar_export(const Error* /*error*/) override {}

  std::atomic<std::size_t> errors = 0;

 private:
  void count(const Error* error) { errors += error == nullptr ? 0U : 1U; }
};

// FullDisk lets no file grow, as long as it lives.
class FullDisk {
 public:
  FullDisk() {
    static_cast<void>(std::signal(SIGXFSZ, SIG_IGN));  // an error, no signal
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit none{.rlim_cur = 0, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &none);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

class ServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "psephos-test.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  [[nodiscard]] std::filesystem::path record_path() const { return directory_ / "record"; }
  [[nodiscard]] std::filesystem::path box_path() const { return directory_ / "box.sqlite"; }
  [[nodiscard]] std::filesystem::path roll_path() const { return directory_ / "roll.sqlite"; }

  void publish(test::Forge& forge) const {
    runtime::DirectoryRecord record(record_path());
    for (const auto& [path, content] : forge.publish()) {
      ASSERT_TRUE(record.write(path, content).has_value());
    }
  }
  [[nodiscard]] std::shared_ptr<ElectionRecord> open_record() const {
    return test::value(ElectionRecord::open(record_path(), evaluator_));
  }
  // As an administrator hands in what was said.
  Result<std::size_t> extend(ElectionRecord& record, const test::Forge& forge,
                             const protocol::Message& message) const {
    const std::string log = protocol::Manifest::main_log();
    test::MemoryStore copy;
    const runtime::DirectoryRecord files(record_path());
    for (const std::string& path : test::value(files.list())) {
      if (path.starts_with(log + "/")) {
        EXPECT_TRUE(copy.write(path, test::value(files.read(path, kMaxFile))).has_value());
      }
    }
    auto writer = test::value(protocol::LogWriter::open(
        copy, log, test::value(forge.authority->main_log_signer(*forge.manifest))));
    const std::uint64_t index = test::value(writer.append(message.encode()));
    const std::string checkpoint = test::value(writer.publish());
    const auto reader =
        test::value(protocol::LogReader::open(copy, log, forge.manifest->log_origin(log)));
    const std::vector<Bytes> entries = {test::value(reader.entry(index))};
    sent_ = [&record, index, entries, checkpoint] {
      return record.extend(index, entries, checkpoint);
    };
    return sent_();
  }
  // The same again.
  Result<std::size_t> extend_again() const { return sent_(); }

  Result<std::unique_ptr<BoxService>> open_box(const test::Forge& forge,
                                               const std::shared_ptr<ElectionRecord>& record,
                                               std::vector<std::uint32_t> shards = {}) {
    return BoxService::open({.store = box_path(), .shards = std::move(shards), .threads = 1},
                            record, test::value(protocol::BoxKeys::load(forge.box_keys->save())),
                            evaluator_, observer_);
  }
  Result<std::unique_ptr<RegistrarService>> open_registrar(
      const test::Forge& forge, const std::shared_ptr<ElectionRecord>& record) {
    return RegistrarService::open(
        {.store = roll_path(), .threads = 1}, record,
        test::value(protocol::Registrar::load(test::value(forge.registrars[0].save()))),
        std::nullopt, observer_);
  }

  static bool soon(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) {
        return false;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  static constexpr std::size_t kMaxFile = std::size_t{1} << 20;
  std::filesystem::path directory_;
  crypto::IndividualEvaluator evaluator_;
  Observer observer_;
  mutable std::function<Result<std::size_t>()> sent_;
};

}  // namespace psephos::server
