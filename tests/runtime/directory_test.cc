#include "psephos/runtime/directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace psephos::runtime {
namespace {

namespace fs = std::filesystem;

class Directory : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "psephos-test.XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(root_); }
  fs::path root_;
};

Bytes bytes(std::string_view text) { return {as_bytes(text).begin(), as_bytes(text).end()}; }

TEST_F(Directory, WritesReadsListsRemoves) {
  DirectoryRecord record(root_ / "record");
  ASSERT_TRUE(record.write("box/0/checkpoint", bytes("one")).has_value());
  ASSERT_TRUE(record.write("manifest.json", bytes("{}")).has_value());
  EXPECT_EQ(record.read("box/0/checkpoint", 3).value(), bytes("one"));
  EXPECT_EQ(record.list().value(), (std::vector<std::string>{"box/0/checkpoint", "manifest.json"}));
  EXPECT_TRUE(record.exists("manifest.json"));
  EXPECT_FALSE(record.exists("box"));
  EXPECT_FALSE(record.exists("nothing"));
  ASSERT_TRUE(record.write("box/0/checkpoint", bytes("two!")).has_value());
  EXPECT_EQ(record.read("box/0/checkpoint", 10).value(), bytes("two!"));
  ASSERT_TRUE(record.remove("box/0/checkpoint").has_value());
  EXPECT_EQ(record.list().value(), std::vector<std::string>{"manifest.json"});
  EXPECT_EQ(record.remove("box/0/checkpoint").error().code, Errc::environment);
}

TEST_F(Directory, RefusesPathsOutOfTheRecord) {
  DirectoryRecord record(root_ / "record");
  std::ofstream(root_ / "outside") << "secret";
  for (const char* path :
       {"../outside", "/etc/passwd", "", ".", "..", "a/../../outside", "./manifest.json", "a/"}) {
    EXPECT_EQ(record.read(path, 100).error().code, Errc::malformed) << path;
    EXPECT_EQ(record.write(path, bytes("x")).error().code, Errc::malformed) << path;
    EXPECT_EQ(record.remove(path).error().code, Errc::malformed) << path;
    EXPECT_FALSE(record.exists(path)) << path;
  }
}

TEST_F(Directory, RefusesWhatIsNoFile) {
  const DirectoryRecord record(root_);
  EXPECT_EQ(record.read("missing", 10).error().code, Errc::environment);
  fs::create_directory(root_ / "directory");
  EXPECT_EQ(record.read("directory", 10).error().code, Errc::environment);
  ASSERT_EQ(::mkfifo((root_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(record.read("pipe", 10).error().code, Errc::environment);  // and does not hang
  EXPECT_EQ(record.list().error().code, Errc::malformed);
  fs::remove(root_ / "pipe");
  fs::create_symlink("/etc/passwd", root_ / "link");
  EXPECT_EQ(record.list().error().code, Errc::malformed);
  EXPECT_EQ(DirectoryRecord(root_ / "nowhere").list().error().code, Errc::environment);
}

TEST_F(Directory, RefusesLargeFilesBeforeReading) {
  const fs::path path = root_ / "zeros";
  std::ofstream(path).put('\0');
  fs::resize_file(path, std::uintmax_t{1} << 40);
  const auto read = read_file(path, 1000);
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, Errc::malformed);
  EXPECT_NE(read.error().message.find("zeros"), std::string::npos);
}

TEST_F(Directory, WritesWholeFilesOrNone) {
  const fs::path path = root_ / "key";
  ASSERT_TRUE(write_file(path, bytes("old"), FileMode::owner_only).has_value());
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  // The target is a directory with something in it: it cannot be replaced, and nothing else is left
  // behind.
  fs::create_directories(root_ / "full" / "inside");
  EXPECT_EQ(write_file(root_ / "full", bytes("new")).error().code, Errc::environment);
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), fs::directory_iterator()), 2);
  // A file where a directory is needed.
  EXPECT_EQ(write_file(path / "below", bytes("new")).error().code, Errc::environment);
  EXPECT_EQ(read_file(path, 10).value(), bytes("old"));
}

}  // namespace
}  // namespace psephos::runtime
