// From pixels to planes, and from residuals to pixels.
#include "executors/composition.h"

#include <algorithm>

#include "bindings/arrays.h"
#include "bindings/module.h"
#include "executors/chroma.h"
#include "executors/residual_sum.h"

namespace scales {
namespace {

template <class Sample>
Picture<Sample> picture_of(const Input<Sample, 3>& image) {
  require(image.shape(2) >= 1 && image.shape(2) <= 4, "pictures must have 1 to 4 channels");
  return {image.data(), side(image.shape(0), "pictures must be 1 to 2^20 rows tall"),
          side(image.shape(1), "pictures must be 1 to 2^20 pixels wide"), static_cast<int>(image.shape(2))};
}

template <class Sample>
void compose_array(Input<Sample, 3> image, const std::optional<Input<float, 3>>& residual, int scale,
                   int begin, int end, Array<Sample, 3> out, const std::optional<std::string>& isa) {
  const Picture<Sample> picture = picture_of<Sample>(image);
  require(scale >= 2 && scale <= 4, "scale must be 2, 3 or 4");
  require(0 <= begin && begin <= end && end <= picture.height * scale, "output rows are outside the picture");
  const std::size_t rows = end - begin, width = static_cast<std::size_t>(scale) * picture.width;
  require_shape(out, {rows, width, image.shape(2)}, "out");
  const KernelTable& kernels = kernels_for(isa);
  const int planes = residual ? static_cast<int>(residual->shape(0)) : 0;
  if (residual) {
    require(planes == 1 || planes == picture.channels,
            "residual must have 1 channel or as many as the picture");
    require_shape(*residual, {residual->shape(0), rows, width}, "residual");
  }
  nb::gil_scoped_release release;
  compose(kernels, picture, residual ? residual->data() : nullptr, planes, scale, begin, end, out.data());
}

template <class Sample>
void ycc_array(Input<Sample, 3> image, Array<float, 3> out) {
  const Picture<Sample> picture = picture_of<Sample>(image);
  require_shape(out, {3, image.shape(0), image.shape(1)}, "out");
  nb::gil_scoped_release release;
  ycc_planes(picture, out.data());
}

void spread_chroma_array(Input<float, 2> luma, Input<float, 3> chroma, int scale, int begin, int end,
                         int first, int height, Array<float, 3> out) {
  require(scale >= 2 && scale <= 4, "scale must be 2, 3 or 4");
  require(height >= 1 && height <= kMaxSide, "pictures must be 1 to 2^20 rows tall");
  const int rows = side(chroma.shape(1), "chroma must be 1 to 2^20 rows tall"),
            width = side(chroma.shape(2), "pictures must be 1 to 2^20 pixels wide");
  require(0 <= begin && begin < end && end <= height * scale, "output rows are outside the picture");
  require(0 <= first && first <= std::max(begin / scale - 2, 0) && rows <= height - first &&
              first + rows >= std::min((end - 1) / scale + 3, height),
          "chroma lacks rows");
  const std::size_t out_rows = end - begin, out_width = static_cast<std::size_t>(scale) * width;
  require_shape(chroma, {2, chroma.shape(1), chroma.shape(2)}, "chroma");
  require_shape(luma, {out_rows, out_width}, "luma");
  require_shape(out, {3, out_rows, out_width}, "out");
  nb::gil_scoped_release release;
  spread_chroma(luma.data(), {chroma.data(), first, rows, width, height}, scale, begin, end, out.data());
}

template <class Sample>
void luma_array(Input<Sample, 3> image, Array<float, 2> out) {
  const Picture<Sample> picture = picture_of<Sample>(image);
  require_shape(out, {image.shape(0), image.shape(1)}, "out");
  nb::gil_scoped_release release;
  luma(picture, out.data());
}

bool add_residual_array(Input<float, 3> added, Strided<std::int32_t, 3> sums) {
  require_shape(sums, {added.shape(0), added.shape(1), added.shape(2)}, "sums");
  const int rows = side(added.shape(1), "a picture has 1 to 2^20 rows"),
            columns = side(added.shape(2), "a picture has 1 to 2^20 columns");
  nb::gil_scoped_release release;
  bool finite = true;
  for (std::size_t c = 0; c < added.shape(0); ++c) {
    const SumPlane plane{sums.data() + static_cast<std::ptrdiff_t>(c) * sums.stride(0), sums.stride(1),
                         sums.stride(2)};
    finite &= add_residual(added.data() + c * rows * columns, rows, columns, plane);
  }
  return finite;
}

}  // namespace

void bind_composition(nb::module_& module) {
  module.def("compose", &compose_array<std::uint8_t>, "image"_a.noconvert(), "residual"_a.noconvert().none(),
             "scale"_a, "begin"_a, "end"_a, "out"_a.noconvert(), "isa"_a = nb::none());
  module.def("compose", &compose_array<std::uint16_t>, "image"_a.noconvert(), "residual"_a.noconvert().none(),
             "scale"_a, "begin"_a, "end"_a, "out"_a.noconvert(), "isa"_a = nb::none());
  module.def("add_residual", &add_residual_array, "added"_a.noconvert(), "sums"_a.noconvert(),
             "Adds [C, H, W] to sums of the same shape, strided at will, in units of 2^-24; values count as "
             "at most 8. False if one is infinite or no number.");
  module.def("luma", &luma_array<std::uint8_t>, "image"_a.noconvert(), "out"_a.noconvert());
  module.def("luma", &luma_array<std::uint16_t>, "image"_a.noconvert(), "out"_a.noconvert());
  module.def("ycc", &ycc_array<std::uint8_t>, "image"_a.noconvert(), "out"_a.noconvert());
  module.def("ycc", &ycc_array<std::uint16_t>, "image"_a.noconvert(), "out"_a.noconvert());
  module.def(
      "spread_chroma", &spread_chroma_array, "luma"_a.noconvert(), "chroma"_a.noconvert(), "scale"_a,
      "begin"_a, "end"_a, "first"_a, "height"_a, "out"_a.noconvert(),
      "The residual of R, G and B of output rows [begin, end), from that of luma and that of LR chroma, "
      "whose rows begin with `first`.");
}

}  // namespace scales
