// Owned, zero-filled memory on a cache-line boundary; large buffers lie on huge pages where the system lends
// them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace scales {

template <class T>
class AlignedBuffer {
 public:
  static constexpr std::size_t kAlignment = 64;
  static constexpr std::size_t kHugePage = std::size_t{1} << 21;

  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t count) : count_(count) {
    if (count > (std::numeric_limits<std::ptrdiff_t>::max() - kHugePage) / sizeof(T)) throw std::bad_alloc();
    const std::size_t bytes = count * sizeof(T);
    const std::size_t alignment = bytes >= kHugePage ? kHugePage : kAlignment;
    // calloc: the pages of a large buffer come zeroed from the system, without another pass over them.
    storage_.reset(std::calloc(bytes + alignment, 1));
    if (!storage_) throw std::bad_alloc();
    const auto address = reinterpret_cast<std::uintptr_t>(storage_.get());
    void* aligned =
        static_cast<unsigned char*>(storage_.get()) + (alignment - address % alignment) % alignment;
#ifdef __linux__
    if (alignment == kHugePage) madvise(aligned, bytes, MADV_HUGEPAGE);
#endif
#ifdef __SANITIZE_ADDRESS__
    // What alignment adds on either side is as much out of bounds as what lies beyond.
    const std::size_t before =
        static_cast<unsigned char*>(aligned) - static_cast<unsigned char*>(storage_.get());
    __asan_poison_memory_region(storage_.get(), before);
    __asan_poison_memory_region(static_cast<unsigned char*>(aligned) + bytes, alignment - before);
#endif
    data_ = static_cast<T*>(aligned);
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::size_t size() const { return count_; }
  T& operator[](std::size_t index) { return data_[index]; }
  const T& operator[](std::size_t index) const { return data_[index]; }

 private:
  struct Free {
    void operator()(void* pointer) const { std::free(pointer); }
  };
  std::unique_ptr<void, Free> storage_;
  T* data_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace scales
