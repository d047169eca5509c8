// Depthwise convolution of float32 NHWC images and its two gradients, as XLA calls them.

#include "depthwise.h"
#include "xla/ffi/api/ffi.h"

namespace native {
namespace {

namespace ffi = xla::ffi;

using Array = ffi::Buffer<ffi::F32>;
using Result = ffi::ResultBuffer<ffi::F32>;
using Sizes = ffi::Span<const int64_t>;

struct Geometry {
  int64_t stride, dilation, top, left;

  Convolution Of(Sizes x, Sizes kernel, Sizes y) const {
    return {{x[0], x[1], x[2], x[3]},
            {y[0], y[1], y[2], y[3]},
            {kernel[0], stride, dilation, top},
            {kernel[1], stride, dilation, left},
            x[3]};
  }
};

ffi::Error Forward(ffi::ThreadPool pool, Array x, Array kernel, Result y, int64_t stride, int64_t dilation, int64_t top,
                   int64_t left) {
  const Convolution c = Geometry{stride, dilation, top, left}.Of(x.dimensions(), kernel.dimensions(), y->dimensions());
  SumDepthwise(pool, c, false, x.typed_data(), kernel.typed_data(), y->typed_data());
  return ffi::Error::Success();
}

ffi::Error InputGradient(ffi::ThreadPool pool, Array gradient, Array kernel, Result x, int64_t stride, int64_t dilation,
                         int64_t top, int64_t left) {
  const Convolution c =
      Geometry{stride, dilation, top, left}.Of(x->dimensions(), kernel.dimensions(), gradient.dimensions());
  SumDepthwise(pool, c, true, gradient.typed_data(), kernel.typed_data(), x->typed_data());
  return ffi::Error::Success();
}

ffi::Error KernelGradient(ffi::ThreadPool pool, Array x, Array gradient, Result kernel, int64_t stride, int64_t dilation,
                          int64_t top, int64_t left) {
  const Convolution c =
      Geometry{stride, dilation, top, left}.Of(x.dimensions(), kernel->dimensions(), gradient.dimensions());
  SumDepthwiseGradients(pool, c, x.typed_data(), gradient.typed_data(), kernel->typed_data());
  return ffi::Error::Success();
}

}  // namespace

#define NATIVE_DEPTHWISE(name, function)                                            \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(name, function,                                     \
                                ffi::Ffi::Bind()                                    \
                                    .Ctx<ffi::ThreadPool>()                         \
                                    .Arg<Array>()                   \
                                    .Arg<Array>()                   \
                                    .Ret<Array>()                   \
                                    .Attr<int64_t>("stride")                        \
                                    .Attr<int64_t>("dilation")                      \
                                    .Attr<int64_t>("top")                           \
                                    .Attr<int64_t>("left"))

NATIVE_DEPTHWISE(depthwise_forward, Forward);
NATIVE_DEPTHWISE(depthwise_input_gradient, InputGradient);
NATIVE_DEPTHWISE(depthwise_kernel_gradient, KernelGradient);

}  // namespace native
