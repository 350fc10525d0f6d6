// Arrays of Python, and the checks of shapes and ranges that all bindings share.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "kernel_table.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace scales {

// An array of Python that kernels can read: aligned as its type wants to be, which others are refused for as those of
// another type are.
template <class T, int dimensions, class... Layout>
class AlignedArray : public nb::ndarray<T, nb::numpy, nb::ndim<dimensions>, Layout..., nb::device::cpu> {
 public:
  using Plain = nb::ndarray<T, nb::numpy, nb::ndim<dimensions>, Layout..., nb::device::cpu>;
  using Plain::Plain;
  AlignedArray() = default;
  explicit AlignedArray(Plain&& plain) : Plain(std::move(plain)) {}

  bool is_aligned() const { return reinterpret_cast<std::uintptr_t>(this->data()) % alignof(T) == 0; }
};
template <class T, int dimensions>
using Array = AlignedArray<T, dimensions, nb::c_contig>;
template <class T, int dimensions>
using Input = Array<const T, dimensions>;
template <class T, int dimensions>
using Strided = AlignedArray<T, dimensions>;

constexpr std::int64_t kMaxSide = 1 << 20;
constexpr std::int64_t kMaxPixels = (std::int64_t{1} << 31) - 1;

inline void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

template <class ArrayType>
void require_shape(const ArrayType& array, std::initializer_list<std::size_t> shape, const char* name) {
  std::size_t axis = 0;
  for (const std::size_t length : shape) {
    if (array.shape(axis++) != length)
      throw std::invalid_argument(std::string(name) + " has the wrong shape");
  }
}

inline int side(std::size_t length, const char* message) {
  require(length >= 1 && length <= static_cast<std::size_t>(kMaxSide), message);
  return static_cast<int>(length);
}

inline int count(std::size_t length, const char* message) {
  require(length >= 1 && length <= 4096, message);
  return static_cast<int>(length);
}

inline void require_rows(int begin, int end, int rows) {
  require(0 <= begin && begin < end && end <= rows, "rows are outside the picture");
}

// The table of a name; without one that of SCALES_ISA, else the best.
const KernelTable& kernels_for(const std::optional<std::string>& isa);

}  // namespace scales

namespace nanobind::detail {

template <class T, int dimensions, class... Layout>
struct type_caster<scales::AlignedArray<T, dimensions, Layout...>> {
  using Aligned = scales::AlignedArray<T, dimensions, Layout...>;
  using Plain = make_caster<typename Aligned::Plain>;
  NB_TYPE_CASTER(Aligned, Plain::Name)

  bool from_python(handle source, std::uint8_t flags, cleanup_list* cleanup) noexcept {
    Plain plain;
    if (!plain.from_python(source, flags, cleanup)) return false;
    value = Value(std::move(plain.value));
    return value.is_aligned();
  }
  static handle from_cpp(const Value& array, rv_policy policy, cleanup_list* cleanup) noexcept {
    return Plain::from_cpp(array, policy, cleanup);
  }
};

}  // namespace nanobind::detail
