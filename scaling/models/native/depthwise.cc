// Depthwise convolution of float32 NHWC images and its two gradients.
//
// Forward pass and input gradient are the same sum over taps, seen from the target pixel: each axis is
// cut into runs of targets that meet the same taps, so that no padding is stored and no tap is tested
// within a loop. Sums stay in registers.

#include <vector>

#include "parallel.h"
#include "vectors.h"
#include "xla/ffi/api/ffi.h"

namespace native {
namespace {

namespace ffi = xla::ffi;

constexpr int kColumns = kLanes == 16 ? 4 : 2;  // target pixels at once, as registers allow

struct Tap {
  int64_t kernel, source;
};

// Targets first, first + step, ...: target number b meets tap.kernel at tap.source + b * advance.
struct Run {
  int64_t first, step, count, advance;
  std::vector<Tap> taps;
};

struct Axis {
  int64_t kernel, stride, dilation, low;

  // The taps that output `at` meets among `size` inputs, or (transposed) input `at` among `size` outputs.
  std::vector<Tap> Taps(int64_t at, int64_t size, bool transposed) const {
    std::vector<Tap> taps;
    for (int64_t k = 0; k < kernel; ++k) {
      int64_t source = transposed ? at + low - k * dilation : at * stride + k * dilation - low;
      if (transposed && source % stride != 0) continue;
      if (transposed) source /= stride;
      if (source >= 0 && source < size) taps.push_back({k, source});
    }
    return taps;
  }

  std::vector<Run> Runs(int64_t targets, int64_t size, bool transposed) const {
    const int64_t step = transposed ? stride : 1, advance = transposed ? 1 : stride;
    std::vector<Run> runs;
    for (int64_t phase = 0; phase < step; ++phase) {
      for (int64_t at = phase; at < targets; at += step) {
        std::vector<Tap> taps = Taps(at, size, transposed);
        const bool begins = at == phase || !Continues(runs.back(), taps);
        if (begins) runs.push_back({at, step, 0, advance, std::move(taps)});
        ++runs.back().count;
      }
    }
    return runs;
  }

  static bool Continues(const Run& run, const std::vector<Tap>& taps) {
    if (run.taps.size() != taps.size()) return false;
    for (size_t i = 0; i < taps.size(); ++i) {
      const int64_t expected = run.taps[i].source + run.count * run.advance;
      if (taps[i].kernel != run.taps[i].kernel || taps[i].source != expected) return false;
    }
    return true;
  }
};

struct Shape {
  int64_t n, h, w, c;
  explicit Shape(ffi::Span<const int64_t> d) : n(d[0]), h(d[1]), w(d[2]), c(d[3]) {}
};

// B targets of a run, N vectors of W channels each: the sum over taps of source * kernel.
template <int W, int N, int B>
void SumTaps(const std::vector<Tap>& rows, const Run& run, int64_t offset, const float* source,
             int64_t source_row, const float* kernel, int64_t kernel_columns, int64_t channels,
             float* target) {
  Vector<W> sums[B][N] = {};
  const int64_t between = run.advance * channels;
  for (const Tap& row : rows) {
    for (const Tap& column : run.taps) {
      const float* weights = kernel + (row.kernel * kernel_columns + column.kernel) * channels;
      const float* from = source + row.source * source_row + (column.source + offset * run.advance) * channels;
      for (int n = 0; n < N; ++n) {
        const Vector<W> weight = Load<W>(weights + n * W);
        for (int b = 0; b < B; ++b) sums[b][n] += Load<W>(from + b * between + n * W) * weight;
      }
    }
  }
  for (int b = 0; b < B; ++b) {
    float* to = target + (run.first + (offset + b) * run.step) * channels;
    for (int n = 0; n < N; ++n) Store<W>(to + n * W, sums[b][n]);
  }
}

void Gather(ffi::ThreadPool& pool, const float* source, Shape from, const float* kernel, const Axis& rows,
            const Axis& columns, bool transposed, float* target, Shape to) {
  const std::vector<Run> runs = columns.Runs(to.w, from.w, transposed);
  ParallelFor(pool, to.n * to.h, [&](int64_t task) {
    const int64_t example = task / to.h;
    const std::vector<Tap> taps = rows.Taps(task % to.h, from.h, transposed);
    const float* image = source + example * from.h * from.w * from.c;
    float* line = target + task * to.w * to.c;
    ForChannels(to.c, [&]<int W, int N>(int64_t c) {
      for (const Run& run : runs) {
        int64_t b = 0;
        for (; b + kColumns <= run.count; b += kColumns)
          SumTaps<W, N, kColumns>(taps, run, b, image + c, from.w * from.c, kernel + c, columns.kernel, to.c,
                                  line + c);
        for (; b < run.count; ++b)
          SumTaps<W, N, 1>(taps, run, b, image + c, from.w * from.c, kernel + c, columns.kernel, to.c, line + c);
      }
    });
  });
}

// sums[k] += gradient * source over a run that meets all K taps of a kernel row.
template <int W, int N, int K>
void AddRun(const Run& run, int64_t spacing, const float* source, const float* gradient, int64_t channels,
            float* sums) {
  Vector<W> totals[K][N];
  for (int k = 0; k < K; ++k)
    for (int n = 0; n < N; ++n) totals[k][n] = Load<W>(sums + k * channels + n * W);
  for (int64_t b = 0; b < run.count; ++b) {
    const float* grad = gradient + (run.first + b) * channels;
    const float* from = source + (run.taps[0].source + b * run.advance) * channels;
    for (int n = 0; n < N; ++n) {
      const Vector<W> g = Load<W>(grad + n * W);
      for (int k = 0; k < K; ++k) totals[k][n] += g * Load<W>(from + k * spacing + n * W);
    }
  }
  for (int k = 0; k < K; ++k)
    for (int n = 0; n < N; ++n) Store<W>(sums + k * channels + n * W, totals[k][n]);
}

template <int W, int N>
void AddAny(const Run& run, const float* source, const float* gradient, int64_t channels, float* sums) {
  for (const Tap& tap : run.taps) {
    for (int n = 0; n < N; ++n) {
      float* sum = sums + tap.kernel * channels + n * W;
      Vector<W> total = Load<W>(sum);
      for (int64_t b = 0; b < run.count; ++b)
        total += Load<W>(gradient + (run.first + b) * channels + n * W) *
                 Load<W>(source + (tap.source + b * run.advance) * channels + n * W);
      Store<W>(sum, total);
    }
  }
}

ffi::Error Forward(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> x, ffi::Buffer<ffi::F32> kernel,
                   ffi::ResultBuffer<ffi::F32> y, int64_t stride, int64_t dilation, int64_t top, int64_t left) {
  const Axis rows{kernel.dimensions()[0], stride, dilation, top};
  const Axis columns{kernel.dimensions()[1], stride, dilation, left};
  Gather(pool, x.typed_data(), Shape(x.dimensions()), kernel.typed_data(), rows, columns, false, y->typed_data(),
         Shape(y->dimensions()));
  return ffi::Error::Success();
}

ffi::Error InputGradient(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> gradient, ffi::Buffer<ffi::F32> kernel,
                         ffi::ResultBuffer<ffi::F32> x, int64_t stride, int64_t dilation, int64_t top,
                         int64_t left) {
  const Axis rows{kernel.dimensions()[0], stride, dilation, top};
  const Axis columns{kernel.dimensions()[1], stride, dilation, left};
  Gather(pool, gradient.typed_data(), Shape(gradient.dimensions()), kernel.typed_data(), rows, columns, true,
         x->typed_data(), Shape(x->dimensions()));
  return ffi::Error::Success();
}

ffi::Error KernelGradient(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> x, ffi::Buffer<ffi::F32> gradient,
                          ffi::ResultBuffer<ffi::F32> kernel, int64_t stride, int64_t dilation, int64_t top,
                          int64_t left) {
  const Shape from(x.dimensions()), out(gradient.dimensions());
  const Axis rows{kernel->dimensions()[0], stride, dilation, top};
  const Axis columns{kernel->dimensions()[1], stride, dilation, left};
  const std::vector<Run> runs = columns.Runs(out.w, from.w, false);
  const int64_t size = kernel->element_count(), lines = out.n * out.h, parts = std::min(lines, kParts);
  std::vector<float> partial(parts * size, 0.0f);
  ParallelFor(pool, parts, [&](int64_t part) {
    for (int64_t line = PartBegin(part, parts, lines); line < PartBegin(part + 1, parts, lines); ++line) {
      const float* image = x.typed_data() + line / out.h * from.h * from.w * from.c;
      const float* grad = gradient.typed_data() + line * out.w * out.c;
      const std::vector<Tap> taps = rows.Taps(line % out.h, from.h, false);
      ForChannels(out.c, [&]<int W, int N>(int64_t c) {
        for (const Tap& tap : taps) {
          const float* source = image + tap.source * from.w * from.c + c;
          float* sums = partial.data() + part * size + tap.kernel * columns.kernel * out.c + c;
          for (const Run& run : runs) {
            const bool whole = static_cast<int64_t>(run.taps.size()) == columns.kernel;
            if (whole && columns.kernel == 3)
              AddRun<W, N, 3>(run, dilation * from.c, source, grad + c, out.c, sums);
            else if (whole && columns.kernel == 5)
              AddRun<W, N, 5>(run, dilation * from.c, source, grad + c, out.c, sums);
            else
              AddAny<W, N>(run, source, grad + c, out.c, sums);
          }
        }
      });
    }
  });
  float* sums = kernel->typed_data();
  for (int64_t i = 0; i < size; ++i) {
    float total = 0.0f;
    for (int64_t part = 0; part < parts; ++part) total += partial[part * size + i];
    sums[i] = total;
  }
  return ffi::Error::Success();
}

}  // namespace

#define NATIVE_DEPTHWISE(name, function)                                            \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(name, function,                                     \
                                ffi::Ffi::Bind()                                    \
                                    .Ctx<ffi::ThreadPool>()                         \
                                    .Arg<ffi::Buffer<ffi::F32>>()                   \
                                    .Arg<ffi::Buffer<ffi::F32>>()                   \
                                    .Ret<ffi::Buffer<ffi::F32>>()                   \
                                    .Attr<int64_t>("stride")                        \
                                    .Attr<int64_t>("dilation")                      \
                                    .Attr<int64_t>("top")                           \
                                    .Attr<int64_t>("left"))

NATIVE_DEPTHWISE(depthwise_forward, Forward);
NATIVE_DEPTHWISE(depthwise_input_gradient, InputGradient);
NATIVE_DEPTHWISE(depthwise_kernel_gradient, KernelGradient);

}  // namespace native
