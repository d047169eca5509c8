// Dense and grouped convolution of float32 NHWC images and its two gradients, as XLA calls them.

#include "dense.h"
#include "xla/ffi/api/ffi.h"

namespace native {
namespace {

namespace ffi = xla::ffi;

using Array = ffi::Buffer<ffi::F32>;
using Result = ffi::ResultBuffer<ffi::F32>;
using Sizes = ffi::Span<const int64_t>;  // one for rows, one for columns

Images ImagesOf(Sizes d) { return {d[0], d[1], d[2], d[3]}; }

Convolution ConvolutionOf(Sizes from, Sizes kernel, Sizes to, Sizes stride, Sizes dilation, Sizes low, int64_t groups) {
  const auto window = [&](int axis) { return Window{kernel[axis], stride[axis], dilation[axis], low[axis]}; };
  return {ImagesOf(from), ImagesOf(to), window(0), window(1), groups};
}

ffi::Error Forward(ffi::ThreadPool pool, Array x, Array kernel, Result y, Sizes stride, Sizes dilation, Sizes low,
                   int64_t groups) {
  const Sizes from = x.dimensions(), window = kernel.dimensions(), to = y->dimensions();
  if (y->element_count() == 0) return ffi::Error::Success();
  const Convolution c = ConvolutionOf(from, window, to, stride, dilation, low, groups);
  Convolve(pool, c, x.typed_data(), kernel.typed_data(), y->typed_data());
  return ffi::Error::Success();
}

ffi::Error InputGradient(ffi::ThreadPool pool, Array gradient, Array kernel, Result x, Sizes stride, Sizes dilation,
                         Sizes low, int64_t groups) {
  const Sizes from = x->dimensions(), window = kernel.dimensions(), to = gradient.dimensions();
  if (x->element_count() == 0) return ffi::Error::Success();
  const Convolution c = ConvolutionOf(from, window, to, stride, dilation, low, groups);
  InputGradientOf(pool, c, gradient.typed_data(), kernel.typed_data(), x->typed_data());
  return ffi::Error::Success();
}

ffi::Error KernelGradient(ffi::ThreadPool pool, Array x, Array gradient, Result kernel, Sizes stride, Sizes dilation,
                          Sizes low, int64_t groups) {
  const Sizes from = x.dimensions(), window = kernel->dimensions(), to = gradient.dimensions();
  if (gradient.element_count() == 0) {
    std::fill_n(kernel->typed_data(), kernel->element_count(), 0.0f);
    return ffi::Error::Success();
  }
  const Convolution c = ConvolutionOf(from, window, to, stride, dilation, low, groups);
  KernelGradientOf(pool, c, x.typed_data(), gradient.typed_data(), kernel->typed_data());
  return ffi::Error::Success();
}

}  // namespace

#define NATIVE_DENSE(name, function)                                      \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(name, function,                           \
                                ffi::Ffi::Bind()                          \
                                    .Ctx<ffi::ThreadPool>()               \
                                    .Arg<Array>()                         \
                                    .Arg<Array>()                         \
                                    .Ret<Array>()                         \
                                    .Attr<Sizes>("stride")                \
                                    .Attr<Sizes>("dilation")              \
                                    .Attr<Sizes>("low")                   \
                                    .Attr<int64_t>("groups"))

NATIVE_DENSE(dense_forward, Forward);
NATIVE_DENSE(dense_input_gradient, InputGradient);
NATIVE_DENSE(dense_kernel_gradient, KernelGradient);

}  // namespace native
