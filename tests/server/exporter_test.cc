#include "src/server/exporter.h"

#include "src/server/maintenance.h"
#include "tests/server/service_test.h"
#include "tests/support/memory_log_store.h"

namespace psephos::server {
namespace {

namespace fs = std::filesystem;
using test::value;

// A record that can be asked how often it was used, and made to fail.
class Disk final : public protocol::RecordStore {
 public:
  [[nodiscard]] Result<Bytes> read(const std::string& path, std::size_t max) const override {
    ++uses;
    return files_.read(path, max);
  }
  [[nodiscard]] Result<std::vector<std::string>> list() const override {
    ++uses;
    return files_.list();
  }
  [[nodiscard]] bool exists(const std::string& path) const override { return files_.exists(path); }
  Result<void> write(const std::string& path, ByteView content) override {
    ++uses;
    return full ? fail(Errc::environment, path + ": the disk is full")
                : files_.write(path, content);
  }
  Result<void> remove(const std::string& path) override { return files_.remove(path); }

  mutable std::size_t uses = 0;
  bool full = false;

 private:
  test::MemoryStore files_;
};

TEST(ExporterTest, ReadsALogNotAgainAndAgainWhileItCannotBeWritten) {
  const test::Forge forge(test::tiny_manifest());
  test::MemoryLogStore store;
  const auto shards = protocol::all_shards(*forge.manifest);
  ASSERT_TRUE(
      store.commit(value(protocol::Box::empty_logs(*forge.election, *forge.box_keys, shards)))
          .has_value());
  Disk disk;
  auto exporter = value(Exporter::open(forge.election, store, disk, {"box/0"}));
  disk.full = true;
  const auto first = exporter.run();
  ASSERT_FALSE(first.has_value());
  const std::size_t uses = disk.uses;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(exporter.run(), first);  // it still says so
  }
  EXPECT_EQ(disk.uses, uses);
  // Whoever waits for it does not wait for that.
  EXPECT_FALSE(exporter.run(Exporter::Pace::now).has_value());
  EXPECT_GT(disk.uses, uses);
  disk.full = false;
  EXPECT_TRUE(exporter.run(Exporter::Pace::now).has_value());
  EXPECT_TRUE(disk.exists("box/0/checkpoint"));
  EXPECT_TRUE(exporter.run().has_value());
}

class MaintenanceTest : public ServiceTest {};

TEST_F(MaintenanceTest, ACheckOnlyLooks) {
  test::Forge forge(test::tiny_manifest());
  publish(forge);
  ASSERT_TRUE(open_box(forge, open_record()).has_value());
  Config config;
  ElectionConfig election;
  election.record = record_path();
  election.box = BoxConfig{.store = box_path(),
                           .key = {},
                           .password_file = {},
                           .shards = {},
                           .export_interval = Duration(1000)};
  config.elections.push_back(election);
  // What a machine that died left behind, or somebody who tampered with it.
  const fs::path stray = record_path() / "box/0/tile/0/001";
  ASSERT_TRUE(runtime::write_file(stray, as_bytes("evidence")).has_value());
  const auto checked = check_stores(config);
  EXPECT_TRUE(checked.has_value()) << checked.error().message;
  EXPECT_TRUE(fs::exists(stray));

  const fs::path checkpoint = record_path() / "box/0/checkpoint";
  ASSERT_TRUE(runtime::write_file(checkpoint, as_bytes("no checkpoint")).has_value());
  EXPECT_FALSE(check_stores(config).has_value());
  EXPECT_TRUE(fs::exists(stray));
}

}  // namespace
}  // namespace psephos::server
