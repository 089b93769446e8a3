// Replays a corpus through a fuzz target, for compilers without libFuzzer.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
  std::size_t num_inputs = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) {
        continue;
      }
      std::ifstream in(entry.path(), std::ios::binary);
      const std::vector<char> bytes(std::istreambuf_iterator<char>(in), {});
      const std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
      std::cout << entry.path().string() << std::endl;  // flushed, to be seen after a crash
      LLVMFuzzerTestOneInput(input.data(), input.size());
      ++num_inputs;
    }
  }
  std::cout << num_inputs << " inputs replayed\n";
  return num_inputs > 0 ? 0 : 1;
}
