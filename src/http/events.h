// Server-sent events: a hub that is published to, and listened to by sessions of the server.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/http/message.h"

namespace psephos::http {

// One event, written once and shared by all who send it.
struct Event {
  std::uint64_t id;
  std::string text;  // as it is sent
};
using SharedEvent = std::shared_ptr<const Event>;

// EventSink is told of new events: each I/O thread of the server has one for each hub it serves.
class EventSink {
 public:
  EventSink() = default;
  EventSink(const EventSink&) = delete;
  EventSink& operator=(const EventSink&) = delete;
  virtual ~EventSink() = default;
  // Called by whoever publishes, under the hub's lock: must not call the hub.
  virtual void on_event(const SharedEvent& event) = 0;
};

// EventHub may be used by several threads.
class EventHub {
 public:
  // keep: how many events listeners who come back may catch up with. Ids count from first_id; a
  // server that starts anew should begin above those it gave before, for instance at its clock.
  explicit EventHub(std::size_t keep = 256, std::uint64_t first_id = 1);

  // publish sends an event to all listeners and returns its id. Line breaks in either text become
  // blanks.
  std::uint64_t publish(std::string_view name, std::string_view data);

  [[nodiscard]] std::size_t listeners() const { return listeners_.load(); }

  // The kept events after `last`; all of them if `last` is not the id of a kept one or the one just
  // before: then nobody knows what the listener missed.
  [[nodiscard]] std::vector<SharedEvent> since(std::uint64_t last) const;

  // For the server. After detach returned, the sink is not called any more.
  void attach(EventSink& sink);
  void detach(EventSink& sink);
  void count_listener(bool joined);

 private:
  const std::size_t keep_;
  mutable std::mutex mutex_;
  std::uint64_t next_;
  std::deque<SharedEvent> kept_;
  std::vector<EventSink*> sinks_;
  std::atomic<std::size_t> listeners_ = 0;
};

// last_event_id reads the header of that name: empty if there is none, 0 if it is no number of
// ours, so that all kept events are sent.
[[nodiscard]] std::optional<std::uint64_t> last_event_id(const Request& request);

}  // namespace psephos::http
