#include "espalier/tensor/caching_allocator.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

namespace espalier::tensor {
namespace {

constexpr std::size_t kHeader = 64;  ///< in front of every block; keeps the data aligned to it
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kSmallest = 128;
constexpr std::size_t kClasses = 4 * 40;  ///< four classes a power of two, up to 2^47 bytes

/// Bytes for data in a block of a class: 128 * {1, 1.25, 1.5, 1.75} * 2^k. The header comes on top,
/// so that the sizes that networks like best, powers of two, waste nothing.
constexpr std::size_t data_size(std::size_t size_class) {
  return (kSmallest << (size_class / 4)) / 4 * (4 + size_class % 4);
}

/// The smallest class whose block holds `bytes` of data.
std::size_t class_of(std::size_t bytes) {
  if (bytes <= kSmallest) return 0;
  const auto power = static_cast<std::size_t>(std::bit_width((bytes - 1) / kSmallest)) - 1;
  std::size_t size_class = 4 * power;
  while (data_size(size_class) < bytes) ++size_class;
  return size_class;
}

struct Header {
  std::size_t size_class;
};
static_assert(sizeof(Header) <= kHeader);

Header* header_of(void* data) {
  return reinterpret_cast<Header*>(static_cast<char*>(data) - kHeader);
}

bool is_mapped(std::size_t bytes) {
  return bytes >= kHugePage;
}

/// Bytes of a whole block of a class; whole pages when it is mapped.
std::size_t block_size(std::size_t size_class) {
  constexpr std::size_t kPage = 4096;
  const std::size_t bytes = data_size(size_class) + kHeader;
  return is_mapped(bytes) ? (bytes + kPage - 1) / kPage * kPage : bytes;
}

/// Memory on huge pages: mapped with room to align, the room given back.
void* map_block(std::size_t bytes) {
  const std::size_t room = bytes + kHugePage;
  void* start = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return nullptr;
  const auto address = reinterpret_cast<std::uintptr_t>(start);
  const std::size_t before = (kHugePage - address % kHugePage) % kHugePage;
  char* block = static_cast<char*>(start) + before;
  if (before > 0) munmap(start, before);
  if (room - before > bytes) munmap(block + bytes, room - before - bytes);
  madvise(block, bytes, MADV_HUGEPAGE);
  return block;
}

void* request_from_system(std::size_t bytes) {
  if (is_mapped(bytes)) return map_block(bytes);
  void* block = nullptr;
  return posix_memalign(&block, kHeader, bytes) == 0 ? block : nullptr;
}

void return_to_system(void* block, std::size_t bytes) {
  if (is_mapped(bytes)) {
    munmap(block, bytes);
  } else {
    std::free(block);
  }
}

std::uint64_t machine_memory() {
  const auto pages = static_cast<std::uint64_t>(std::max(sysconf(_SC_PHYS_PAGES), 1L));
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

/// Free blocks by size class. Blocks of a class change hands under that class's lock only.
class BlockCache {
 public:
  void set_options(const CachingOptions& options) {
    most_cached_ = options.most_cached;
    most_in_use_ = options.most_in_use == 0 ? machine_memory() : options.most_in_use;
  }

  [[nodiscard]] std::uint64_t most_in_use() const { return most_in_use_; }

  /// A block for `bytes` with its header filled, or null when the system has no more memory.
  void* take(std::size_t bytes) {
    constexpr std::size_t kLargest = data_size(kClasses - 1);
    if (bytes > kLargest) return nullptr;
    const std::size_t size_class = class_of(bytes);
    const std::size_t size = block_size(size_class);
    if (in_use_ + size > most_in_use_) return nullptr;
    void* block = take_cached(size_class);
    if (block != nullptr) {
      cached_ -= size;
      ++reuses_;
    } else {
      const bool fits = in_use_ + cached_ + size <= most_in_use_;
      block = fits ? request_from_system(size) : nullptr;
      if (block == nullptr) {
        release();
        block = request_from_system(size);
      }
      if (block == nullptr) return nullptr;
      ++system_requests_;
    }
    note_use(size);
    static_cast<Header*>(block)->size_class = size_class;
    return static_cast<char*>(block) + kHeader;
  }

  void give_back(void* data) {
    Header* header = header_of(data);
    const std::size_t size_class = header->size_class;
    const std::size_t size = block_size(size_class);
    in_use_ -= size;
    if (cached_.load() + size > bound()) {
      return_to_system(header, size);
      return;
    }
    cached_ += size;
    List& list = lists_[size_class];
    const std::lock_guard<std::mutex> lock(list.mutex);
    list.blocks.push_back(header);
  }

  std::uint64_t release() {
    std::uint64_t released = 0;
    for (std::size_t size_class = 0; size_class < kClasses; ++size_class) {
      std::vector<void*> blocks;
      {
        const std::lock_guard<std::mutex> lock(lists_[size_class].mutex);
        blocks.swap(lists_[size_class].blocks);
      }
      const std::size_t size = block_size(size_class);
      for (void* block : blocks) return_to_system(block, size);
      cached_ -= blocks.size() * size;
      released += blocks.size() * size;
    }
    return released;
  }

  [[nodiscard]] CachingStatistics statistics() const {
    return {.bytes_in_use = in_use_,
            .bytes_cached = cached_,
            .peak_in_use = peak_,
            .system_requests = system_requests_,
            .reuses = reuses_};
  }

  void reset_peak() { peak_ = in_use_.load(); }

 private:
  struct List {
    std::mutex mutex;
    std::vector<void*> blocks;
  };

  void* take_cached(std::size_t size_class) {
    List& list = lists_[size_class];
    const std::lock_guard<std::mutex> lock(list.mutex);
    if (list.blocks.empty()) return nullptr;
    void* block = list.blocks.back();
    list.blocks.pop_back();
    return block;
  }

  void note_use(std::size_t size) {
    const std::uint64_t now = in_use_ += size;
    std::uint64_t peak = peak_;
    while (now > peak && !peak_.compare_exchange_weak(peak, now)) {
    }
    std::uint64_t highest = highest_;
    while (now > highest && !highest_.compare_exchange_weak(highest, now)) {
    }
  }

  [[nodiscard]] std::uint64_t bound() const {
    return std::min(most_cached_.load(), 2 * highest_.load());
  }

  std::array<List, kClasses> lists_;
  std::atomic<std::uint64_t> most_cached_{0};
  std::atomic<std::uint64_t> most_in_use_{0};
  std::atomic<std::uint64_t> in_use_{0};
  std::atomic<std::uint64_t> cached_{0};
  std::atomic<std::uint64_t> peak_{0};
  std::atomic<std::uint64_t> highest_{0};  ///< peak since the start: the bound refers to it
  std::atomic<std::uint64_t> system_requests_{0};
  std::atomic<std::uint64_t> reuses_{0};
};

/// The one cache: tensors may be freed after main has returned, so it is never destroyed.
BlockCache& block_cache() {
  static BlockCache* const cache = new BlockCache;
  return *cache;
}

void free_block(void* data) {
  if (data != nullptr) block_cache().give_back(data);
}

class CachingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &free_block, c10::Device(c10::kCPU)};
    void* data = block_cache().take(bytes);
    TORCH_CHECK_WITH(OutOfMemoryError, data != nullptr, "not enough memory: a tensor of ", bytes,
                     " bytes beside ", block_cache().statistics().bytes_in_use,
                     " bytes in use; at most ", block_cache().most_in_use(), " bytes");
    return {data, data, &free_block, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &free_block; }
  void copy_data(void* target, const void* source, std::size_t bytes) const override {
    default_copy_data(target, source, bytes);
  }
};

}  // namespace

void install_caching_allocator(const CachingOptions& options) {
  static CachingAllocator* const allocator = new CachingAllocator;
  constexpr std::uint8_t kPriority = 1;
  block_cache().set_options(options);
  c10::SetCPUAllocator(allocator, kPriority);
}

CachingStatistics caching_statistics() {
  return block_cache().statistics();
}

void reset_caching_peak() {
  block_cache().reset_peak();
}

std::uint64_t release_cached() {
  return block_cache().release();
}

}  // namespace espalier::tensor
