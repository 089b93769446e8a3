#include "src/http/events.h"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace psephos::http {
namespace {

class Collecting final : public EventSink {
 public:
  void on_event(const SharedEvent& event) override { events.push_back(event); }
  std::vector<SharedEvent> events;
};

std::vector<std::uint64_t> ids(const std::vector<SharedEvent>& events) {
  std::vector<std::uint64_t> result;
  for (const SharedEvent& event : events) {
    result.push_back(event->id);
  }
  return result;
}

using Ids = std::vector<std::uint64_t>;

TEST(EventHub, WritesEventsOnce) {
  EventHub hub;
  Collecting a;
  Collecting b;
  hub.attach(a);
  hub.attach(b);
  EXPECT_EQ(hub.publish("turnout", R"({"votes":1})"), 1U);
  EXPECT_EQ(hub.publish("state", "open"), 2U);
  ASSERT_EQ(a.events.size(), 2U);
  EXPECT_EQ(a.events[0]->text, "id: 1\nevent: turnout\ndata: {\"votes\":1}\n\n");
  EXPECT_EQ(a.events[0], b.events[0]);  // the same text, not a copy
  hub.detach(a);
  hub.publish("state", "closed");
  EXPECT_EQ(a.events.size(), 2U);
  EXPECT_EQ(b.events.size(), 3U);
}

TEST(EventHub, LineBreaksCannotStartAField) {
  EventHub hub;
  hub.publish("a\nid: 7", "b\r\n\ndata: c");
  EXPECT_EQ(hub.since(0)[0]->text, "id: 1\nevent: a id: 7\ndata: b   data: c\n\n");
}

TEST(EventHub, ReplaysWhatWasMissed) {
  EventHub hub(3);
  EXPECT_TRUE(hub.since(0).empty());
  for (int i = 0; i < 5; ++i) {
    hub.publish("e", "x");
  }
  EXPECT_EQ(ids(hub.since(2)), (Ids{3, 4, 5}));
  EXPECT_EQ(ids(hub.since(3)), (Ids{4, 5}));
  EXPECT_EQ(ids(hub.since(5)), Ids{});
}

TEST(EventHub, ReplaysAllToWhoKnowsNothing) {
  EventHub hub(3);
  for (int i = 0; i < 5; ++i) {
    hub.publish("e", "x");
  }
  for (const std::uint64_t last : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{6},
                                   std::uint64_t{100}, ~std::uint64_t{0}}) {
    EXPECT_EQ(ids(hub.since(last)), (Ids{3, 4, 5})) << last;
  }
}

TEST(EventHub, StartsWhereItIsTold) {
  EventHub hub(3, 1000);
  EXPECT_EQ(hub.publish("e", "x"), 1000U);
  EXPECT_EQ(ids(hub.since(7)), Ids{1000});
  EXPECT_EQ(ids(hub.since(999)), Ids{1000});
}

TEST(EventHub, MayKeepNothing) {
  EventHub hub(0);
  hub.publish("e", "x");
  EXPECT_TRUE(hub.since(0).empty());
}

TEST(EventHub, PublishersInManyThreadsKeepTheOrder) {
  EventHub hub(10'000);
  Collecting sink;
  hub.attach(sink);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int j = 0; j < 250; ++j) {
          hub.publish("e", "x");
        }
      });
    }
  }
  ASSERT_EQ(sink.events.size(), 1000U);
  for (std::size_t i = 0; i < sink.events.size(); ++i) {
    EXPECT_EQ(sink.events[i]->id, i + 1);
  }
}

TEST(LastEventId, OfARequest) {
  Request request;
  EXPECT_EQ(last_event_id(request), std::nullopt);
  request.headers = {{"last-event-id", "17"}};
  EXPECT_EQ(last_event_id(request), 17U);
  for (const char* text : {"", "x", "17x", "-1", " 17", "99999999999999999999"}) {
    request.headers = {{"Last-Event-ID", text}};
    EXPECT_EQ(last_event_id(request), 0U) << text;
  }
}

}  // namespace
}  // namespace psephos::http
