#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "src/http/events.h"
#include "tests/http/serving.h"

namespace psephos::test {
namespace {

using namespace std::chrono_literals;
using http::EventHub;

constexpr std::string_view kListen = "GET /events HTTP/1.1\r\nHost: x\r\n\r\n";

std::string listen_from(std::uint64_t id) {
  return "GET /events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: " + std::to_string(id) + "\r\n\r\n";
}

class EventStream : public testing::Test {
 protected:
  Serving& serve(ServerOptions options = {}) {
    serving_ = std::make_unique<Serving>(
        [hub = hub_](const Request& request, Respond respond) {
          Response response;
          response.events = hub;
          response.last_event_id = http::last_event_id(request);
          respond(std::move(response));
        },
        std::move(options));
    return *serving_;
  }
  [[nodiscard]] bool listeners(std::size_t count) const {
    return eventually([&] { return hub_->listeners() == count; });
  }

  std::shared_ptr<EventHub> hub_ = std::make_shared<EventHub>(10);
  std::unique_ptr<Serving> serving_;
};

TEST_F(EventStream, SendsEvents) {
  RawClient client(serve().port());
  client.send(kListen);
  const std::string head = client.read_until("\r\n\r\n");
  EXPECT_EQ(status_of(head), 200U);
  EXPECT_TRUE(head.contains("Content-Type: text/event-stream\r\n"));
  EXPECT_TRUE(head.contains("Cache-Control: no-store\r\n"));
  EXPECT_FALSE(head.contains("Content-Length"));
  ASSERT_TRUE(listeners(1));
  EXPECT_EQ(serving_->server().event_listeners(), 1U);
  hub_->publish("turnout", "1");
  EXPECT_EQ(client.read_until("\n\n"), "id: 1\nevent: turnout\ndata: 1\n\n");
  hub_->publish("state", "closed");
  EXPECT_EQ(client.read_until("\n\n"), "id: 2\nevent: state\ndata: closed\n\n");
}

TEST_F(EventStream, HeadIsAnsweredAndEnds) {
  const std::string answer = serve().exchange("HEAD /events HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(answer.contains("text/event-stream"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST_F(EventStream, ReplaysWhatWasMissedWithoutGapsOrRepetition) {
  serve();
  for (int i = 0; i < 5; ++i) {
    hub_->publish("e", "x");
  }
  // Publishes go on while listeners come.
  std::atomic<bool> done = false;
  std::jthread publisher([&] {
    while (!done) {
      hub_->publish("e", "x");
      std::this_thread::sleep_for(1ms);
    }
  });
  for (int round = 0; round < 20; ++round) {
    RawClient client(serving_->port());
    client.send(listen_from(0));
    client.read_until("\r\n\r\n");
    std::uint64_t last = 0;
    for (int i = 0; i < 15; ++i) {
      const std::string event = client.read_until("\n\n");
      ASSERT_TRUE(event.starts_with("id: ")) << event;
      const std::uint64_t id = std::stoull(event.substr(4));
      EXPECT_TRUE(last == 0 || id == last + 1) << last << " " << id;
      last = id;
    }
  }
  done = true;
}

// What a listener had missed is sent whatever the limit, and so is what comes while it is sent.
TEST_F(EventStream, CatchingUpIsNotBeingSlow) {
  serve({.max_queued_events = 8});
  for (int i = 0; i < 10; ++i) {
    hub_->publish("e", "x");
  }
  for (std::uint64_t next = 11; next < 111; ++next) {
    std::jthread publisher([&] {
      while (hub_->listeners() == 0) {
      }
      hub_->publish("e", "x");
    });
    RawClient client(serving_->port());
    client.send(listen_from(0));
    const std::string mark = "id: " + std::to_string(next) + "\n";
    ASSERT_TRUE(client.read_until(mark).ends_with(mark)) << next;
    publisher.join();
    client.close();
    ASSERT_TRUE(listeners(0));
  }
}

TEST_F(EventStream, OldAndUnknownIdsReplayAllKept) {
  serve();
  for (int i = 0; i < 15; ++i) {
    hub_->publish("e", "x");
  }
  for (const auto& [last, first] : {std::pair{12, 13}, {1, 6}, {0, 6}, {999, 6}}) {
    RawClient client(serving_->port());
    client.send(listen_from(static_cast<std::uint64_t>(last)));
    client.read_until("\r\n\r\n");
    EXPECT_TRUE(client.read_until("\n\n").starts_with("id: " + std::to_string(first) + "\n"));
  }
}

TEST_F(EventStream, GivesSignsOfLife) {
  RawClient client(serve({.heartbeat = 50ms}).port());
  client.send(kListen);
  client.read_until("\r\n\r\n");
  EXPECT_EQ(client.read_until("\n\n"), ":\n\n");
  EXPECT_EQ(client.read_until("\n\n"), ":\n\n");
}

TEST_F(EventStream, NoticesWhoLeaves) {
  serve({.heartbeat = 1h});
  {
    RawClient client(serving_->port());
    client.send(kListen);
    client.read_until("\r\n\r\n");
    ASSERT_TRUE(listeners(1));
  }
  EXPECT_TRUE(listeners(0));
  EXPECT_TRUE(eventually([&] { return serving_->server().connections() == 0; }));
}

TEST_F(EventStream, DropsWhoDoesNotRead) {
  serve({.write_timeout = 1h, .max_queued_events = 5});
  RawClient slow(serving_->port(), 4096);
  RawClient quick(serving_->port());
  for (RawClient* client : {&slow, &quick}) {
    client->send(kListen);
    client->read_until("\r\n\r\n");
  }
  ASSERT_TRUE(listeners(2));
  const std::string data(50'000, 'x');
  for (int i = 0; i < 1000 && hub_->listeners() == 2; ++i) {
    hub_->publish("e", data);
    EXPECT_TRUE(quick.read_until("\n\n").ends_with("x\n\n"));
  }
  EXPECT_TRUE(listeners(1));
  hub_->publish("e", "y");
  EXPECT_TRUE(quick.read_until("\n\n").ends_with("y\n\n"));
}

TEST_F(EventStream, HundredsOfListeners) {
  constexpr std::size_t kCount = 400;
  serve();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (std::size_t i = 0; i < kCount; ++i) {
    clients.push_back(std::make_unique<RawClient>(serving_->port()));
    ASSERT_TRUE(clients.back()->send(kListen));
  }
  ASSERT_TRUE(listeners(kCount));
  for (int i = 0; i < 20; ++i) {
    hub_->publish("e", "x");
  }
  for (const auto& client : clients) {
    EXPECT_TRUE(client->read_until("id: 20\nevent: e\ndata: x\n\n").contains("id: 1\n"));
  }
  // Every other one leaves while events go on.
  for (std::size_t i = 0; i < kCount; i += 2) {
    clients[i]->close();
    hub_->publish("e", "x");
  }
  EXPECT_TRUE(listeners(kCount / 2));
}

TEST_F(EventStream, LimitsListeners) {
  serve({.max_event_listeners = 1});
  RawClient first(serving_->port());
  first.send(kListen);
  first.read_until("\r\n\r\n");
  ASSERT_TRUE(listeners(1));
  const std::string answer = serving_->exchange(kListen);
  EXPECT_EQ(status_of(answer), 503U) << answer;
  EXPECT_TRUE(answer.contains("Retry-After: "));
  first.close();
  ASSERT_TRUE(listeners(0));
  RawClient second(serving_->port());
  second.send(kListen);
  EXPECT_EQ(status_of(second.read_until("\r\n\r\n")), 200U);
}

TEST_F(EventStream, EndsWhenTheListenerSpeaks) {
  RawClient client(serve().port());
  client.send(kListen);
  client.read_until("\r\n\r\n");
  client.send("GET / HTTP/1.1\r\n");
  client.read_all();
  EXPECT_FALSE(client.timed_out());
  EXPECT_TRUE(listeners(0));
}

TEST_F(EventStream, EndsWithTheServer) {
  serve();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<RawClient>(serving_->port()));
    clients.back()->send(kListen);
    clients.back()->read_until("\r\n\r\n");
  }
  hub_->publish("e", "x");
  serving_->server().stop(kPatience);
  for (const auto& client : clients) {
    client->read_all();
    EXPECT_TRUE(client->closed());
  }
  EXPECT_EQ(hub_->listeners(), 0U);
  hub_->publish("e", "nobody listens");
}

TEST_F(EventStream, PublishersMayOutliveTheServer) {
  std::atomic<bool> done = false;
  std::jthread publisher([&] {
    while (!done) {
      hub_->publish("e", "x");
    }
  });
  for (int i = 0; i < 5; ++i) {
    serve();
    RawClient client(serving_->port());
    client.send(kListen);
    client.read_until("\n\n");
    serving_->server().stop(0ms);
    serving_.reset();
  }
  done = true;
}

}  // namespace
}  // namespace psephos::test
