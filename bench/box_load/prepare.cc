#include "bench/box_load/prepare.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "psephos/codec.h"
#include "psephos/crypto/batch_evaluator.h"
#include "psephos/crypto/key_file.h"
#include "psephos/protocol/authority.h"
#include "psephos/protocol/box.h"
#include "psephos/protocol/log_writer.h"
#include "psephos/protocol/record_log_store.h"
#include "psephos/protocol/registrar.h"
#include "psephos/protocol/synthetic.h"
#include "psephos/protocol/trustee.h"
#include "psephos/random.h"
#include "psephos/runtime/directory.h"
#include "psephos/runtime/thread_executor.h"

namespace psephos::load {

namespace {

namespace fs = std::filesystem;
using protocol::LogWriter;
using protocol::MainLog;
using protocol::Manifest;
using protocol::Message;

constexpr std::size_t kWindow = 1024;  // ballots made at once
constexpr const char* kPassword = "measured, not secret\n";

// One process is every party, as in `psephos run`.
class Preparation {
 public:
  explicit Preparation(const PrepareOptions& options)
      : options_(options),
        record_(options.directory / "record"),
        executor_(options.threads),
        evaluator_(random_) {}

  Result<void> run() {
    PSEPHOS_CHECK_OK(read_manifest());
    PSEPHOS_CHECK_OK(ceremony());
    PSEPHOS_CHECK_OK(open_polls());
    PSEPHOS_CHECK_OK(write_settings());
    return make_ballots();
  }

 private:
  Result<void> say(const Message& message) {
    if (auto taken = main_log_->append(message); !taken.has_value()) {
      return std::unexpected(protocol::to_error(taken.error()));
    }
    PSEPHOS_CHECK_OK(writer_->append(message.encode()));
    return {};
  }

  Result<void> read_manifest() {
    PSEPHOS_TRY(Bytes file, runtime::read_file(options_.manifest, protocol::kMaxManifestBytes));
    if (options_.rsa_bits != 0) {
      auto json = nlohmann::ordered_json::parse(file);
      json["registrars"]["rsa_bits"] = options_.rsa_bits;
      const std::string text = json.dump(2);
      file.assign(text.begin(), text.end());
    }
    PSEPHOS_TRY(Manifest manifest, Manifest::parse(file));
    manifest_ = std::make_shared<const Manifest>(std::move(manifest));
    return record_.write("manifest.json", manifest_->file);
  }

  Result<void> ceremony() {
    authority_ = protocol::Authority::create(random_);
    std::vector<protocol::Trustee> trustees;
    std::vector<protocol::TrusteeKeys> keys;
    for (std::uint32_t i = 1; i <= manifest_->num_trustees(); ++i) {
      PSEPHOS_TRY(protocol::Trustee trustee, protocol::Trustee::create(*manifest_, i, random_));
      keys.push_back(trustee.public_keys());
      trustees.push_back(std::move(trustee));
    }
    PSEPHOS_TRY(auto signer, authority_->main_log_signer(*manifest_));
    PSEPHOS_TRY(writer_, LogWriter::create(record_, Manifest::main_log(), std::move(signer)));
    main_log_.emplace(manifest_, evaluator_);
    PSEPHOS_CHECK_OK(say(authority_->roster(*manifest_, std::move(keys))));
    const auto round = [&](const auto& message_of) -> Result<void> {
      std::vector<Message> messages;
      for (protocol::Trustee& trustee : trustees) {
        PSEPHOS_TRY(Message message, message_of(trustee, *main_log_->ceremony()));
        messages.push_back(std::move(message));
      }
      for (const Message& message : messages) {
        PSEPHOS_CHECK_OK(say(message));
      }
      return {};
    };
    using protocol::Ceremony;
    using protocol::Trustee;
    PSEPHOS_CHECK_OK(round([&](Trustee& t, const Ceremony& c) { return t.commit(*manifest_, c); }));
    PSEPHOS_CHECK_OK(round([&](Trustee& t, const Ceremony& c) { return t.reveal(*manifest_, c); }));
    PSEPHOS_CHECK_OK(
        round([&](Trustee& t, const Ceremony& c) { return t.shares(*manifest_, c, random_); }));
    return round([&](Trustee& t, const Ceremony& c) { return t.confirm(*manifest_, c, random_); });
  }

  Result<void> open_polls() {
    std::vector<crypto::Ed25519PublicKey> registrar_logs;
    for (std::uint32_t r = 0; r < manifest_->num_registrars(); ++r) {
      PSEPHOS_TRY(
          protocol::Registrar registrar,
          protocol::Registrar::create(*manifest_, r, random_, executor_, crypto::RsaPrimes::three));
      registrar_logs.push_back(registrar.log_key());
      for (const Message& message : registrar.credential_keys(*manifest_)) {
        PSEPHOS_CHECK_OK(say(message));
      }
      PSEPHOS_TRY(auto signer, registrar.log_signer(*manifest_));
      PSEPHOS_CHECK_OK(LogWriter::create(record_, Manifest::roll_log(r), std::move(signer)));
      registrars_.push_back(std::move(registrar));
    }
    protocol::BoxKeys box = protocol::BoxKeys::create(*manifest_, random_);
    PSEPHOS_TRY(const Message opening,
                authority_->opening(*main_log_, registrar_logs, box.public_keys()));
    PSEPHOS_CHECK_OK(say(opening));
    PSEPHOS_CHECK_OK(say(authority_->open(*main_log_->election())));
    PSEPHOS_CHECK_OK(writer_->publish());
    for (protocol::Registrar& registrar : registrars_) {
      PSEPHOS_CHECK_OK(registrar.start(*main_log_->election()));
    }
    PSEPHOS_CHECK_OK(box.start(*main_log_->election()));
    protocol::RecordLogStore logs(record_, *main_log_->election());
    PSEPHOS_TRY(const auto empty, protocol::Box::empty_logs(*main_log_->election(), box,
                                                            protocol::all_shards(*manifest_)));
    PSEPHOS_CHECK_OK(logs.commit(empty));

    const std::string word = std::string(kPassword, std::string(kPassword).size() - 1);
    const SecretBuffer password(as_bytes(word));
    PSEPHOS_TRY(const Bytes key, crypto::seal_file("box", box.save(), password,
                                                   crypto::PasswordCost::minimal, random_));
    return runtime::write_file(options_.directory / "box.key", key, runtime::FileMode::owner_only);
  }

  Result<void> write_settings() {
    const auto secret = [this](const char* name, std::string_view text) {
      return runtime::write_file(options_.directory / name, as_bytes(text),
                                 runtime::FileMode::owner_only);
    };
    std::array<std::uint8_t, 24> token{};
    random_.fill(token);
    PSEPHOS_CHECK_OK(secret("password", kPassword));
    PSEPHOS_CHECK_OK(secret("token", hex(token) + "\n"));
    PSEPHOS_CHECK_OK(runtime::write_file(options_.directory / "election",
                                         as_bytes(hex(main_log_->election()->id()) + "\n")));
    // Everything comes from one address here, whose rate and connections are not to be limited.
    return runtime::write_file(options_.directory / "psephosd.toml", as_bytes(R"(role = "box"
[http]
listen = ["127.0.0.1:0"]
rate_per_second = 0
max_connections_per_client = 10000
[admin]
listen = "127.0.0.1:0"
token_file = "token"
[[election]]
record = "record"
[election.box]
store = "box.sqlite"
key = "box.key"
password_file = "password"
)"));
  }

  Result<void> make_ballots() {
    const protocol::SyntheticVoters voters(main_log_->election(), registrars_);
    const fs::path path = options_.directory / "ballots";
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    for (std::size_t done = 0; done < options_.ballots;) {
      const std::size_t count = std::min(kWindow, options_.ballots - done);
      std::vector<Result<protocol::SyntheticVoters::Vote>> votes(count,
                                                                 fail(Errc::misuse, "not made"));
      executor_.run(count, [&](std::size_t i) {
        const auto style = static_cast<std::uint32_t>(random_.below(manifest_->num_styles()));
        votes[i] =
            voters.vote("voter " + std::to_string(done + i), style,
                        protocol::random_votes(manifest_->styles[style].form, random_), random_);
      });
      for (const auto& vote : votes) {
        if (!vote.has_value()) {
          return std::unexpected(vote.error());
        }
        Writer framed;
        framed.var(vote->ballot);
        out << as_text(ByteView(std::move(framed).take()));
      }
      done += count;
      std::fprintf(stderr, "\r%zu of %zu ballots", done, options_.ballots);
    }
    std::fputc('\n', stderr);
    out.close();
    return out.good() ? Result<void>() : fail(Errc::environment, path.string() + ": cannot write");
  }

  const PrepareOptions& options_;
  runtime::DirectoryRecord record_;
  runtime::ThreadExecutor executor_;
  SystemRandom random_;
  crypto::BatchEvaluator evaluator_;
  std::shared_ptr<const Manifest> manifest_;
  std::optional<protocol::Authority> authority_;
  std::optional<LogWriter> writer_;
  std::optional<MainLog> main_log_;
  std::vector<protocol::Registrar> registrars_;
};

}  // namespace

Result<void> prepare(const PrepareOptions& options) {
  std::error_code error;
  if (fs::exists(options.directory, error)) {
    return fail(Errc::misuse, options.directory.string() + ": is there already");
  }
  fs::create_directories(options.directory, error);
  return Preparation(options).run();
}

}  // namespace psephos::load
