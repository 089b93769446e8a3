// The committed record: formats do not change by accident, and docs/wire.md says what is in it.
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "psephos/crypto/hash.h"
#include "psephos/crypto/merkle.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/runtime/directory.h"

#include "tests/record/forge.h"

namespace psephos::test {
namespace {

const std::filesystem::path kSource = PSEPHOS_SOURCE_DIR;

protocol::Report verify_golden() {
  const runtime::DirectoryRecord record(kSource / "tests/record/golden");
  const crypto::IndividualEvaluator evaluator;
  protocol::SerialExecutor serial;
  return protocol::verify({.record = record,
                           .evaluator = evaluator,
                           .executor = serial,
                           .receipts = {},
                           .checkpoints = {},
                           .progress = {}});
}

TEST(Golden, IsAccepted) {
  const protocol::Report report = verify_golden();
  for (const auto& check : report.checks) {
    for (const auto& fault : check.faults) {
      ADD_FAILURE() << id(check.check) << " " << fault.place << ": " << fault.message;
    }
  }
  EXPECT_TRUE(report.accepted());
  EXPECT_EQ(report.num_counted, 6U);
}

// The cells of every row of the tables in docs/wire.md, without their backquotes.
std::vector<std::vector<std::string>> table_rows() {
  std::ifstream file(kSource / "docs/wire.md");
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| ")) {
      continue;
    }
    std::vector<std::string> cells;
    std::istringstream parts(line.substr(1));
    for (std::string cell; std::getline(parts, cell, '|');) {
      const auto first = cell.find_first_not_of(" `");
      const auto last = cell.find_last_not_of(" `");
      cells.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
    }
    rows.push_back(std::move(cells));
  }
  return rows;
}

// As docs/wire.md shortens a value.
std::string shown(ByteView bytes) {
  if (bytes.size() <= 32) {
    return hex(bytes);
  }
  return hex(bytes.first(16)) + "…" + hex(bytes.last(8));
}

TEST(Golden, TheWalkInWireMdIsTrue) {
  const runtime::DirectoryRecord record(kSource / "tests/record/golden");
  const crypto::IndividualEvaluator evaluator;
  const auto main_log = value(protocol::read_main_log(record, evaluator));
  const protocol::Election& election = *main_log->election();
  const auto reader =
      value(protocol::LogReader::open(record, "box/0", election.manifest().log_origin("box/0")));
  const Bytes entry = value(reader.entry(1));

  // Every byte of the entry stands in exactly one row, in order.
  std::size_t next = 0;
  std::map<std::string, std::string> named;
  for (const auto& cells : table_rows()) {
    if (cells.size() == 5 && cells[0].find_first_not_of("0123456789") == std::string::npos) {
      ASSERT_EQ(std::stoul(cells[0]), next) << cells[2];
      const std::size_t size = std::stoul(cells[1]);
      ASSERT_LE(next + size, entry.size());
      EXPECT_EQ(shown(ByteView(entry).subspan(next, size)), cells[3]) << cells[2];
      named[cells[2]] = cells[3];
      next += size;
    } else if (cells.size() == 3) {
      named[cells[0]] = cells[1];
    }
  }
  EXPECT_EQ(next, entry.size());

  // The fields are what their names say: decoded by the library and compared by name.
  const auto decoded = std::get<protocol::Ballot>(
      value(protocol::decode_box_entry(value(protocol::payload_of(entry)), election)));
  const auto expect = [&named](const std::string& field, ByteView bytes) {
    EXPECT_EQ(named[field], shown(bytes)) << field;
  };
  expect("credential pk", decoded.encrypted.credential.bytes());
  expect("prefix", decoded.credential.signatures[0].prefix);
  expect("signature", decoded.credential.signatures[0].signature);
  for (std::size_t j = 0; j < decoded.encrypted.ciphertexts.size(); ++j) {
    expect("alpha_" + std::to_string(j + 1), decoded.encrypted.ciphertexts[j].alpha.bytes());
    expect("beta_" + std::to_string(j + 1), decoded.encrypted.ciphertexts[j].beta.bytes());
  }
  const crypto::BallotProof& proof = decoded.proof;
  expect("B", proof.B.bytes());
  expect("A", proof.A.bytes());
  expect("C", proof.C.bytes());
  expect("D", proof.D.bytes());
  expect("E_alpha", proof.E_alpha.bytes());
  expect("E_beta", proof.E_beta.bytes());
  expect("R", proof.R.bytes());
  for (std::size_t k = 0; k < proof.f.size(); ++k) {
    expect("f_" + std::to_string(k + 1), proof.f[k].bytes());
  }
  expect("z_A", proof.z_A.bytes());
  expect("z_C", proof.z_C.bytes());
  expect("z_E", proof.z_E.bytes());
  expect("s", proof.s.bytes());

  expect("manifest digest", election.manifest().digest);
  expect("election id", election.id());
  expect("entry digest", crypto::sha256({entry}));
  expect("leaf hash", crypto::merkle_leaf(entry));
  EXPECT_EQ(named["tracking code"], protocol::print(protocol::tracking_code(
                                        election.id(), decoded.style, decoded.encrypted)));
}

}  // namespace
}  // namespace psephos::test
