#include "src/http/events.h"

#include <algorithm>
#include <charconv>

namespace psephos::http {

namespace {

std::string one_line(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(line, [](char c) { return c == '\r' || c == '\n'; }, ' ');
  return line;
}

}  // namespace

EventHub::EventHub(std::size_t keep, std::uint64_t first_id) : keep_(keep), next_(first_id) {}

std::uint64_t EventHub::publish(std::string_view name, std::string_view data) {
  const std::string tail = "\nevent: " + one_line(name) + "\ndata: " + one_line(data) + "\n\n";
  const std::scoped_lock lock(mutex_);
  const std::uint64_t id = next_++;
  const auto event = std::make_shared<const Event>(Event{id, "id: " + std::to_string(id) + tail});
  kept_.push_back(event);
  if (kept_.size() > keep_) {
    kept_.pop_front();
  }
  for (EventSink* sink : sinks_) {
    sink->on_event(event);
  }
  return id;
}

std::vector<SharedEvent> EventHub::since(std::uint64_t last) const {
  const std::scoped_lock lock(mutex_);
  auto begin = kept_.begin();
  const std::uint64_t oldest = next_ - kept_.size();
  if (last < next_ && last + 1 >= oldest) {
    begin += static_cast<std::ptrdiff_t>(last + 1 - oldest);
  }
  return {begin, kept_.end()};
}

void EventHub::attach(EventSink& sink) {
  const std::scoped_lock lock(mutex_);
  sinks_.push_back(&sink);
}

void EventHub::detach(EventSink& sink) {
  const std::scoped_lock lock(mutex_);
  std::erase(sinks_, &sink);
}

void EventHub::count_listener(bool joined) {
  if (joined) {
    ++listeners_;
  } else {
    --listeners_;
  }
}

std::optional<std::uint64_t> last_event_id(const Request& request) {
  const std::string* text = request.header("Last-Event-ID");
  if (text == nullptr) {
    return std::nullopt;
  }
  std::uint64_t id = 0;
  const char* end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, id);
  return error == std::errc() && stop == end ? id : 0;
}

}  // namespace psephos::http
