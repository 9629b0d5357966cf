#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace espalier::data {

/// What a pipeline does for item 0, 1, 2, ... `fill` is called from several threads at once, for
/// different parts of an item and for different items; `make` from one at a time.
template <typename Item>
struct PipelineWork {
  std::int64_t num_items = 0;
  std::function<std::int64_t(std::int64_t item)> num_parts;  ///< at least 1
  std::function<Item(std::int64_t item)> make;               ///< room for the result; quick
  std::function<void(Item& result, std::int64_t item, std::int64_t part)> fill;
};

struct PipelineOptions {
  int num_workers = 1;      ///< threads; 0: everything happens inside next()
  std::int64_t window = 2;  ///< items in work or waiting, at most
};

/// Threads produce items ahead; one caller takes them in order. An item is cut into parts, so that
/// several threads hurry one item rather than each its own. An exception is thrown by the next()
/// that would have delivered the item (of its first part that failed), and by every later one. The
/// destructor stops: parts in work end, nothing else starts.
template <typename Item, typename Thread = std::thread>
class OrderedPipeline {
 public:
  OrderedPipeline(PipelineWork<Item> work, PipelineOptions options)
      : work_(std::move(work)), window_(std::max<std::int64_t>(options.window, 1)) {
    try {
      for (int i = 0; i < options.num_workers; ++i) workers_.emplace_back([this] { work_on(); });
    } catch (...) {
      stop();  // The system has no thread left: those that started still use this object.
      throw;
    }
  }
  OrderedPipeline(const OrderedPipeline&) = delete;
  OrderedPipeline& operator=(const OrderedPipeline&) = delete;
  ~OrderedPipeline() { stop(); }

  /// The next item; nothing after the last one.
  [[nodiscard]] std::optional<Item> next() {
    if (failure_) std::rethrow_exception(failure_);
    if (delivered_ == work_.num_items) return std::nullopt;
    std::unique_ptr<Slot> slot = workers_.empty() ? produce_here() : take_first();
    ++delivered_;
    failure_ = slot->failure;
    if (failure_) std::rethrow_exception(failure_);
    return std::move(slot->result);
  }

 private:
  void stop() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    work_is_there_.notify_all();
    for (Thread& worker : workers_) worker.join();
  }

  /// An item on its way.
  struct Slot {
    std::int64_t item = 0;
    std::int64_t num_parts = 0;
    std::int64_t next_part = 0;
    std::int64_t unfinished = 0;
    std::optional<Item> result;
    std::exception_ptr failure;
    std::int64_t failed_part = 0;

    void fail(std::int64_t part, std::exception_ptr problem) {
      if (failure && failed_part <= part) return;
      failure = std::move(problem);
      failed_part = part;
    }
  };

  /// Calls `make`; a failure leaves the slot without parts to do.
  void open(Slot& slot) {
    try {
      slot.num_parts = work_.num_parts(slot.item);
      slot.result.emplace(work_.make(slot.item));
      slot.unfinished = slot.num_parts;
    } catch (...) {
      slot.num_parts = 0;
      slot.fail(-1, std::current_exception());
    }
  }

  std::unique_ptr<Slot> produce_here() {
    auto slot = std::make_unique<Slot>();
    slot->item = delivered_;
    open(*slot);
    for (std::int64_t part = 0; part < slot->num_parts && !slot->failure; ++part) {
      try {
        work_.fill(*slot->result, slot->item, part);
      } catch (...) {
        slot->fail(part, std::current_exception());
      }
    }
    return slot;
  }

  std::unique_ptr<Slot> take_first() {
    std::unique_lock lock(mutex_);
    first_is_ready_.wait(lock,
                         [this] { return !slots_.empty() && slots_.front()->unfinished == 0; });
    std::unique_ptr<Slot> slot = std::move(slots_.front());
    slots_.pop_front();
    lock.unlock();
    work_is_there_.notify_all();
    return slot;
  }

  /// A slot with a part that nobody has taken, or null. Holds the lock.
  Slot* find_work() {
    for (const auto& slot : slots_) {
      if (slot->next_part < slot->num_parts) return slot.get();
    }
    const bool room = static_cast<std::int64_t>(slots_.size()) < window_;
    if (!room || opened_ == work_.num_items) return nullptr;
    slots_.push_back(std::make_unique<Slot>());
    Slot& slot = *slots_.back();
    slot.item = opened_++;
    open(slot);
    if (slot.unfinished == 0) first_is_ready_.notify_one();
    if (slot.num_parts > 1) work_is_there_.notify_all();
    return slot.num_parts > 0 ? &slot : nullptr;
  }

  void work_on() {
    std::unique_lock lock(mutex_);
    while (true) {
      Slot* slot = nullptr;
      work_is_there_.wait(lock, [&] { return stopping_ || (slot = find_work()) != nullptr; });
      if (stopping_) return;
      const std::int64_t part = slot->next_part++;
      lock.unlock();
      std::exception_ptr problem;
      try {
        work_.fill(*slot->result, slot->item, part);
      } catch (...) {
        problem = std::current_exception();
      }
      lock.lock();
      if (problem) slot->fail(part, std::move(problem));
      if (--slot->unfinished == 0) first_is_ready_.notify_one();
    }
  }

  const PipelineWork<Item> work_;
  const std::int64_t window_;
  std::int64_t delivered_ = 0;  ///< caller's thread only
  std::exception_ptr failure_;  ///< caller's thread only
  std::mutex mutex_;            ///< guards what follows
  std::condition_variable work_is_there_;
  std::condition_variable first_is_ready_;
  std::deque<std::unique_ptr<Slot>> slots_;
  std::int64_t opened_ = 0;
  bool stopping_ = false;
  std::vector<Thread> workers_;  ///< last: they use everything above
};

}  // namespace espalier::data
