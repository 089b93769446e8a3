#include "bench/box_load/ballots.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <utility>

#include "psephos/codec.h"
#include "psephos/runtime/directory.h"

namespace psephos::load {

namespace {

constexpr std::size_t kMaxReceiptsBytes = std::size_t{4} << 30;

std::uint32_t u32_at(ByteView bytes) {
  std::uint32_t value = 0;
  for (const std::uint8_t byte : bytes.first(4)) {
    value = value << 8 | byte;
  }
  return value;
}

}  // namespace

Result<Ballots> Ballots::open(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status{};
  if (fd < 0 || ::fstat(fd, &status) != 0 || status.st_size == 0) {
    return fail(Errc::environment, path.string() + ": cannot be read");
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  // Read now: no page faults while it is sent.
  void* const start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  ::close(fd);
  if (start == MAP_FAILED) {
    return fail(Errc::environment, path.string() + ": cannot be mapped");
  }
  Ballots ballots;
  ballots.file_ = {static_cast<const std::uint8_t*>(start), size};
  for (ByteView rest = ballots.file_; !rest.empty();) {
    const std::size_t length = rest.size() < 4 ? 0 : u32_at(rest);
    if (length == 0 || rest.size() - 4 < length) {
      return fail(Errc::malformed, path.string() + ": is cut off");
    }
    ballots.entries_.push_back(rest.subspan(4, length));
    rest = rest.subspan(4 + length);
  }
  return ballots;
}

Ballots::Ballots(Ballots&& other) noexcept
    : file_(std::exchange(other.file_, {})), entries_(std::move(other.entries_)) {}

Ballots::~Ballots() {
  if (!file_.empty()) {
    // munmap takes a pointer to what may be written; nothing is.
    ::munmap(const_cast<std::uint8_t*>(file_.data()), file_.size());
  }
}

Result<Receipts> read_receipts(const std::filesystem::path& path) {
  PSEPHOS_TRY(const Bytes file, runtime::read_file(path, kMaxReceiptsBytes));
  Receipts receipts;
  for (ByteView rest = file; !rest.empty();) {
    constexpr std::size_t kHead = 8;
    const std::size_t length = rest.size() < kHead ? rest.size() : u32_at(rest.subspan(4));
    if (rest.size() < kHead || rest.size() - kHead < length) {
      return fail(Errc::malformed, path.string() + ": is cut off");
    }
    receipts.emplace(u32_at(rest), as_text(rest.subspan(kHead, length)));
    rest = rest.subspan(kHead + length);
  }
  return receipts;
}

Result<void> write_receipts(const std::filesystem::path& path, const Receipts& receipts) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  for (const auto& [number, text] : receipts) {
    Writer head;
    head.u32(static_cast<std::uint32_t>(number)).u32(static_cast<std::uint32_t>(text.size()));
    out << as_text(ByteView(std::move(head).take())) << text;
  }
  out.close();
  return out.good() ? Result<void>() : fail(Errc::environment, path.string() + ": cannot write");
}

}  // namespace psephos::load
