#include "cli/outbox.h"

#include <algorithm>
#include <utility>

#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/receipt.h"

#include "cli/promise.h"

namespace psephos::cli {

using protocol::Election;
using protocol::Wallet;

namespace {

// A good answer, as the wallet keeps it; or why it is none.
struct Judged {
  Wallet::Answer answer;
  std::string text;
  Delivered delivered;
};

Result<Judged> judge(const Election& election, std::uint32_t shard, std::size_t position,
                     const Wallet::Sent& sent, BallotAnswer answer) {
  if (auto* receipt = std::get_if<Receipt>(&answer)) {
    const auto read = protocol::BoxReceipt::read(election, receipt->text);
    if (!read.has_value()) {
      return within("the answer is no receipt of the box", read.error());
    }
    PSEPHOS_TRY(const ByteView payload, protocol::payload_of(read->promise.entry));
    if (!equal(payload, sent.entry)) {
      return fail(Errc::rejected, "the receipt is for another entry than the one that was sent");
    }
    if (read->shard != shard) {
      return fail(Errc::rejected, "the receipt is for the log " +
                                      protocol::Manifest::box_log(read->shard) +
                                      ", where this credential's ballots do not belong");
    }
    return Judged{.answer = Wallet::Answer::receipt,
                  .text = std::move(receipt->text),
                  .delivered = {.position = position, .accepted = true, .reason = {}}};
  }
  if (auto* refused = std::get_if<Refused>(&answer)) {
    auto reason = check_refusal(election, shard, sent.entry, refused->refusal);
    if (!reason.has_value()) {
      return fail(Errc::rejected, refused->reason + ", but the refusal is not one of the box: " +
                                      reason.error().message);
    }
    return Judged{
        .answer = Wallet::Answer::refusal,
        .text = std::move(refused->refusal),
        .delivered = {.position = position, .accepted = false, .reason = *std::move(reason)}};
  }
  return fail(Errc::environment, std::get<NotNow>(answer).reason);
}

}  // namespace

Result<Delivery> deliver(const Server& server, const Election& election, Wallet& wallet,
                         const std::function<Result<void>()>& save) {
  Delivery delivery;
  const std::uint32_t shard =
      protocol::shard_of(wallet.credential().bytes(), election.manifest().shards);
  const auto waits = [](const Wallet::Sent& sent) { return sent.answer == Wallet::Answer::none; };
  for (std::size_t i = 0; i < wallet.sent().size(); ++i) {
    const Wallet::Sent& sent = wallet.sent()[i];
    if (!waits(sent)) {
      continue;
    }
    auto answer = server.submit(election.id(), sent.entry);
    auto judged = answer.has_value() ? judge(election, shard, i, sent, *std::move(answer))
                                     : Result<Judged>(std::unexpected(answer.error()));
    if (!judged.has_value()) {
      delivery.stopped = judged.error();
      break;
    }
    PSEPHOS_CHECK_OK(wallet.answered(i, judged->answer, std::move(judged->text)));
    PSEPHOS_CHECK_OK(save());
    delivery.answered.push_back(std::move(judged->delivered));
  }
  delivery.waiting = static_cast<std::size_t>(std::ranges::count_if(wallet.sent(), waits));
  return delivery;
}

}  // namespace psephos::cli
