#include "tests/record/forge.h"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>

#include "psephos/crypto/batch_evaluator.h"
#include "psephos/crypto/hash.h"
#include "psephos/crypto/merkle.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/log_writer.h"
#include "psephos/protocol/message_signer.h"

namespace psephos::test {

namespace {

using protocol::Manifest;
using protocol::Message;
using protocol::MessageType;

// Where a role's saved content holds the seed of its signing key (protocol/authority.cc,
// trustee.cc).
constexpr std::size_t kAuthoritySeedOffset = 0;
constexpr std::size_t kTrusteeSeedOffset = 36;

// Whatever judges the equations, the report is the same.
void expect_same(const protocol::Report& one, const protocol::Report& other,
                 std::string_view which) {
  if (one != other) {
    throw std::runtime_error("the report differs: " + std::string(which));
  }
}

void ok(const Result<void>& result) {
  if (!result.has_value()) {
    throw std::runtime_error(result.error().message);
  }
}

template <class T>
T taken(std::expected<T, protocol::Fault> result) {
  if (!result.has_value()) {
    throw std::runtime_error(protocol::to_error(result.error()).message);
  }
  if constexpr (!std::is_void_v<T>) {
    return std::move(result).value();
  }
}

// The tree over a log's entries, hash chain included.
crypto::TreeHead tree_of(const std::string& origin, const std::vector<Bytes>& payloads) {
  Digest32 previous = protocol::chain_start(origin);
  crypto::MerkleFrontier frontier;
  for (const Bytes& payload : payloads) {
    Bytes entry(previous.begin(), previous.end());
    entry.insert(entry.end(), payload.begin(), payload.end());
    previous = crypto::sha256({entry});
    frontier.append(crypto::merkle_leaf(entry));
  }
  return frontier.head();
}

void write_log(MemoryStore& store, const std::string& log,
               std::shared_ptr<const crypto::NoteSigner> signer,
               const std::vector<Bytes>& payloads) {
  auto writer = value(protocol::LogWriter::create(store, log, std::move(signer)));
  for (const Bytes& payload : payloads) {
    value(writer.append(payload));
  }
  value(writer.publish());
}

}  // namespace

std::uint64_t Forge::next_seed() {
  static std::atomic<std::uint64_t> elections = 0;
  return test_seed() + elections++;
}

Forge::Forge(std::string_view manifest_json)
    : manifest(std::make_shared<const Manifest>(value(Manifest::parse(as_bytes(manifest_json))))),
      boxes(manifest->shards),
      rolls(manifest->num_registrars()) {
  authority = protocol::Authority::create(random);
  protocol::MainLog log(manifest, evaluator);
  const auto say = [&](Message message) {
    taken(log.append(message));
    main.push_back(std::move(message));
  };
  std::vector<protocol::TrusteeKeys> keys;
  for (std::uint32_t i = 1; i <= manifest->num_trustees(); ++i) {
    trustees.push_back(value(protocol::Trustee::create(*manifest, i, random)));
    keys.push_back(trustees.back().public_keys());
  }
  say(authority->roster(*manifest, keys));
  const auto round = [&](const auto& message_of) {
    std::vector<Message> messages;
    for (protocol::Trustee& trustee : trustees) {
      messages.push_back(value(message_of(trustee, *log.ceremony())));
    }
    for (Message& message : messages) {
      say(std::move(message));
    }
  };
  round([&](auto& t, const auto& c) { return t.commit(*manifest, c); });
  round([&](const auto& t, const auto& c) { return t.reveal(*manifest, c); });
  round([&](const auto& t, const auto& c) { return t.shares(*manifest, c, random); });
  round([&](auto& t, const auto& c) { return t.confirm(*manifest, c, random); });

  protocol::SerialExecutor serial;
  std::vector<crypto::Ed25519PublicKey> registrar_logs;
  for (std::uint32_t r = 0; r < manifest->num_registrars(); ++r) {
    registrars.push_back(value(protocol::Registrar::create(*manifest, r, random, serial)));
    registrar_logs.push_back(registrars.back().log_key());
    for (Message& message : registrars.back().credential_keys(*manifest)) {
      say(std::move(message));
    }
    issued_.emplace_back(*manifest);
  }
  box_keys = protocol::BoxKeys::create(*manifest, random);
  say(value(authority->opening(log, registrar_logs, box_keys->public_keys())));
  say(authority->open(*log.election()));
  election = log.election();
  for (protocol::Registrar& registrar : registrars) {
    ok(registrar.start(*election));
  }
  ok(box_keys->start(*election));
}

protocol::Wallet Forge::enrol(std::uint32_t style) {
  auto wallet = value(protocol::Wallet::create(*election, style, random));
  const std::string name = "voter " + std::to_string(num_voters_++);
  const protocol::Roll roll = {{name, {style, "code of " + name}}};
  for (std::uint32_t r = 0; r < registrars.size(); ++r) {
    const auto request = value(wallet.request(*election, r, name, roll.at(name).code, random));
    const auto answer = value(registrars[r].issue(*election, roll, issued_[r], request));
    taken(issued_[r].append(answer.issuance.value()));
    rolls[r].push_back(answer.issuance->encode());
    ok(wallet.receive(*election, answer.response));
  }
  return wallet;
}

Bytes Forge::cast(protocol::Wallet& wallet, std::vector<std::string> cells) {
  value(wallet.prepare(*election, value(protocol::parse_votes(*manifest, wallet.style(), cells)),
                       random));
  return value(wallet.cast(*election, random));
}

Bytes Forge::challenge(protocol::Wallet& wallet, std::vector<std::string> cells) {
  value(wallet.prepare(*election, value(protocol::parse_votes(*manifest, wallet.style(), cells)),
                       random));
  return value(wallet.challenge(*election, random));
}

void Forge::put(Bytes payload) {
  const auto entry = value(protocol::decode_box_entry(payload, *election));
  const auto shard =
      protocol::shard_of(protocol::encrypted_of(entry).credential.bytes(), manifest->shards);
  boxes[shard].push_back(std::move(payload));
}

Message Forge::close_message() const {
  protocol::Close close;
  for (std::uint32_t s = 0; s < boxes.size(); ++s) {
    close.boxes.push_back(tree_of(manifest->log_origin(Manifest::box_log(s)), boxes[s]));
  }
  for (std::uint32_t r = 0; r < rolls.size(); ++r) {
    close.rolls.push_back(tree_of(manifest->log_origin(Manifest::roll_log(r)), rolls[r]));
  }
  return authority->close(*election, close);
}

void Forge::close() { main.push_back(close_message()); }

void Forge::close_again() { main[find(MessageType::close)] = close_message(); }

protocol::AuditedBallots Forge::tallied() {
  const MemoryStore store(publish());
  protocol::SerialExecutor serial;
  const auto audited = value(protocol::audit_ballots({.record = store,
                                                      .evaluator = evaluator,
                                                      .executor = serial,
                                                      .receipts = {},
                                                      .checkpoints = {},
                                                      .progress = {}}));
  const std::vector<Message> tallies = authority->tallies(audited);
  main.insert(main.end(), tallies.begin(), tallies.end());
  return value(audited.with_tallies(tallies));
}

void Forge::finish(std::vector<std::uint32_t> senders) {
  const protocol::AuditedBallots audited = tallied();
  protocol::MainLog log = audited.main_log();
  for (std::uint32_t k = 0; k < audited.main_log().tallies().size(); ++k) {
    for (const std::uint32_t sender : senders) {
      main.push_back(value(trustees[sender - 1].decrypt(audited, k, random)));
      taken(log.append(main.back()));
    }
  }
  for (const Message& message : value(authority->results(log))) {
    main.push_back(message);
    taken(log.append(message));
  }
  const auto result = value(protocol::election_result(log, audited.aggregate().counted()));
  result_json = protocol::result_json(*manifest, result);
  result_csv = protocol::result_csv(*manifest, result);
}

MemoryStore::Files Forge::publish() {
  MemoryStore store;
  ok(store.write("manifest.json", manifest->file));
  std::vector<Bytes> payloads;
  for (const Message& message : main) {
    payloads.push_back(message.encode());
  }
  write_log(store, Manifest::main_log(), value(authority->main_log_signer(*manifest)), payloads);
  for (std::uint32_t s = 0; s < boxes.size(); ++s) {
    write_log(store, Manifest::box_log(s), value(box_keys->log_signer(*manifest, s)), boxes[s]);
  }
  for (std::uint32_t r = 0; r < rolls.size(); ++r) {
    write_log(store, Manifest::roll_log(r), value(registrars[r].log_signer(*manifest)), rolls[r]);
  }
  if (!result_json.empty()) {
    ok(store.write("result.json", as_bytes(result_json)));
    ok(store.write("result.csv", as_bytes(result_csv)));
  }
  return store.files();
}

Message Forge::sign_again(const Message& message, Bytes payload) const {
  // The roles' own functions make no false messages; their saved keys do.
  const bool by_trustee =
      (message.type >= MessageType::commit && message.type <= MessageType::complaint) ||
      message.type == MessageType::decryption;
  const SecretBuffer saved = by_trustee ? trustees[message.sender - 1].save() : authority->save();
  const std::size_t at = by_trustee ? kTrusteeSeedOffset : kAuthoritySeedOffset;
  SecretBytes<32> seed;
  std::ranges::copy(saved.expose_secret().subspan(at, 32), seed.expose_secret().begin());
  const auto key = crypto::Ed25519SecretKey::from_seed(seed);
  return protocol::sign_message(message.type, message.context, message.sender, std::move(payload),
                                key);
}

std::size_t Forge::find(MessageType type, std::size_t n) const {
  for (std::size_t i = 0; i < main.size(); ++i) {
    if (main[i].type == type && n-- == 0) {
      return i;
    }
  }
  throw std::runtime_error("no such message");
}

protocol::Report verify_files(MemoryStore::Files files, std::vector<std::string> receipts,
                              std::vector<std::string> checkpoints) {
  const MemoryStore store(std::move(files));
  protocol::SerialExecutor serial;
  const auto input_for = [&](const crypto::Evaluator& evaluator) {
    return protocol::VerifyInput{.record = store,
                                 .evaluator = evaluator,
                                 .executor = serial,
                                 .receipts = receipts,
                                 .checkpoints = checkpoints,
                                 .progress = {}};
  };
  const crypto::IndividualEvaluator individual;
  protocol::Report report = protocol::verify(input_for(individual));
  SystemRandom system_random;
  for (const crypto::CurveBackend backend : crypto::kCurveBackends) {
    if (crypto::is_supported(backend)) {
      const crypto::BatchEvaluator evaluator(system_random, backend);
      expect_same(report, protocol::verify(input_for(evaluator)), crypto::name(backend));
    }
  }
  const crypto::BatchEvaluator fastest(system_random);
  constexpr std::uint32_t kParts = 3;
  std::vector<Bytes> parts;
  for (std::uint32_t part = 1; part <= kParts; ++part) {
    parts.push_back(protocol::verify_part(input_for(fastest), {part, kParts}).file);
  }
  expect_same(report, value(protocol::combine_parts(input_for(fastest), std::move(parts))),
              "in parts");
  return report;
}

std::string_view small_manifest() {
  return R"({
    "psephos": "manifest/v1",
    "title": "Small",
    "origin": "test.example/small",
    "opens": "2026-01-01T08:00:00Z",
    "closes": "2026-01-01T18:00:00Z",
    "contests": [
      { "id": "mayor", "title": "Mayor", "type": "choose", "options": ["A", "B", "C"],
        "min": 1, "max": 1 },
      { "id": "budget", "title": "Budget", "type": "score", "options": ["Park", "Pool"],
        "range": 3, "min": 0, "max": 4 }
    ],
    "styles": [
      { "id": "town", "contests": ["mayor", "budget"] },
      { "id": "village", "contests": ["mayor"] }
    ],
    "trustees": { "names": ["Ada", "Bob", "Cyd"], "threshold": 2 },
    "registrars": { "names": ["One", "Two"], "rsa_bits": 2048 },
    "box": { "shards": 2, "revote": "last", "challenges": 2 },
    "tally": { "minimum": 2, "by": "election" },
    "voters": 100
  })";
}

std::string_view tiny_manifest() {
  return R"({"psephos":"manifest/v1","title":"Tiny","origin":"test.example/tiny",)"
         R"("opens":"2026-01-01T08:00:00Z","closes":"2026-01-01T18:00:00Z",)"
         R"("contests":[{"id":"q","title":"Q","type":"choose","options":["Y","N"],"min":1,"max":1}],)"
         R"("styles":[{"id":"s","contests":["q"]}],)"
         R"("trustees":{"names":["Ada","Bob"],"threshold":2},)"
         R"("registrars":{"names":["R"],"rsa_bits":2048},)"
         R"("box":{"shards":1,"revote":"first","challenges":1},)"
         R"("tally":{"minimum":1,"by":"election"},"voters":10})";
}

std::unique_ptr<Forge> small_election() {
  auto forge = std::make_unique<Forge>(small_manifest());
  auto first = forge->enrol(0);
  forge->put(forge->cast(first, {"1", "1:3|2:1"}));
  auto second = forge->enrol(0);
  forge->put(forge->challenge(second, {"2", ""}));
  forge->put(forge->cast(second, {"2", "2:2"}));
  auto third = forge->enrol(1);
  forge->put(forge->cast(third, {"3"}));
  auto fourth = forge->enrol(1);
  forge->put(forge->cast(fourth, {"1"}));
  forge->put(forge->cast(first, {"3", ""}));  // re-vote
  auto fifth = forge->enrol(0);
  forge->put(forge->cast(fifth, {"1", "1:2|2:2"}));
  forge->close();
  forge->finish();
  return forge;
}

std::unique_ptr<Forge> tiny_election() {
  auto forge = std::make_unique<Forge>(tiny_manifest());
  auto first = forge->enrol();
  forge->put(forge->challenge(first, {"1"}));
  forge->put(forge->cast(first, {"2"}));
  auto second = forge->enrol();
  forge->put(forge->cast(second, {"1"}));
  forge->close();
  forge->finish({1, 2});
  return forge;
}

}  // namespace psephos::test
