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
constexpr int kTargets = 8;                        // the same where a source pixel is read once for all of them
constexpr int kVectors = kRegisters == 32 ? 2 : 1;  // and vectors of channels

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

// A sum over windows of K columns, whatever the target: source and taps are those of the row's first target.
struct Row {
  int64_t first, width, channels, source_row, kernel_row, tap, targets;
  bool streams;
};

// Asks for a tile's targets, and for what the next row's tile will be the first to read. Inlined by order: a call
// that only prefetches is dropped as one without effect.
template <int N, int S>
[[gnu::always_inline]] inline void Prefetch(const std::vector<Tap>& rows, const Row& row, int64_t first, const float* source, float* target) {
#pragma GCC unroll 8
  for (int b = 0; b < kTargets; ++b)
    for (int n = 0; n < N; ++n)
      if (first + b < row.targets) __builtin_prefetch(target + (first + b) * row.channels + n * kLanes, 1);
  if (!row.streams || rows.empty()) return;
  const float* next = source + (rows.back().source + 1) * row.source_row + std::max<int64_t>(0, row.first + first * S) * row.channels;
  for (int r = 0; r < S; ++r)
#pragma GCC unroll 16
    for (int j = 0; j < kTargets * S; ++j)
      for (int n = 0; n < N; ++n) __builtin_prefetch(next + r * row.source_row + j * row.channels + n * kLanes, 0, 2);
}

// kTargets neighbours, N vectors of channels each, for windows of K columns at stride S: every source pixel is read
// once a row of taps, and pixels of the border are left out.
template <int N, int K, int S, typename Lanes>
void SumTile(const std::vector<Tap>& rows, const Row& row, int64_t first, const float* source, const float* kernel,
             float* target, Lanes lanes) {
  Vector sums[kTargets][N] = {};
  const int64_t left = row.first + first * S, begin = -left, end = row.width - left;
  Prefetch<N, S>(rows, row, first, source, target);
  for (const Tap& at : rows) {
    const float* weights = kernel + at.kernel * row.kernel_row;
    const float* from = source + at.source * row.source_row + left * row.channels;
    Vector weight[K][N];
#pragma GCC unroll 8
    for (int k = 0; k < K; ++k)
      for (int n = 0; n < N; ++n) weight[k][n] = Load(weights + k * row.tap + n * kLanes, lanes);
#pragma GCC unroll 32
    for (int j = 0; j < (kTargets - 1) * S + K; ++j) {
      if (j < begin || j >= end) continue;
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) {
        const Vector pixel = Load(from + j * row.channels + n * kLanes, lanes);
#pragma GCC unroll 8
        for (int k = 0; k < K; ++k)
          if ((j - k) % S == 0 && j >= k && (j - k) / S < kTargets) sums[(j - k) / S][n] += pixel * weight[k][n];
      }
    }
  }
#pragma GCC unroll 8
  for (int b = 0; b < kTargets; ++b) {
    if (first + b >= row.targets) return;
    for (int n = 0; n < N; ++n) Store(target + (first + b) * row.channels + n * kLanes, sums[b][n], lanes);
  }
}

// Windows of K columns at stride S, tile by tile. Wide images stream through the cache row by row; of others a block
// of channels stays in the first level.
template <int K, int S>
class Tiles {
 public:
  Tiles(const float* source, Shape from, const float* kernel, const Axis& rows, const Axis& columns, bool turned,
        float* target, Shape to)
      : source_(source), target_(target), from_(from), to_(to) {
    row_ = {turned ? columns.low - K + 1 : -columns.low, from.w, to.c, from.w * to.c, K * to.c, turned ? -to.c : to.c, to.w, from.h * from.w * to.c > (1 << 17)};
    kernel_ = kernel + (turned ? (K - 1) * to.c : 0);
    for (int64_t at = 0; at < to.h; ++at) taps_.push_back(rows.Taps(at, from.h, turned));
  }

  void Run(ffi::ThreadPool& pool) const {
    constexpr int64_t kFirstLevel = 1 << 13, kBlock = kVectors * kLanes;
    const int64_t fit = kFirstLevel / (K * from_.w) / kBlock * kBlock;
    const int64_t block = row_.streams ? to_.c : std::max(kBlock, fit);
    const int64_t strips = std::clamp<int64_t>(CeilDiv(4 * pool.num_threads(), to_.n), 1, to_.h);
    ParallelFor(pool, to_.n * strips, [&](int64_t task) {
      const int64_t begin = PartBegin(task % strips, strips, to_.h), end = PartBegin(task % strips + 1, strips, to_.h);
      for (int64_t c = 0; c < to_.c; c += block)
        for (int64_t at = begin; at < end; ++at) ComputeRow(task / strips, at, c, std::min(block, to_.c - c));
    });
  }

 private:
  void ComputeRow(int64_t example, int64_t at, int64_t first_channel, int64_t channels) const {
    const float *image = source_ + example * from_.h * row_.source_row + first_channel, *kernel = kernel_ + first_channel;
    float* line = target_ + (example * to_.h + at) * to_.w * to_.c + first_channel;
    for (int64_t first = 0; first < to_.w; first += kTargets) {
      const int64_t begin = std::max<int64_t>(0, std::min(first, to_.w - kTargets));  // the last tile is full, too
      ForChannels<kVectors>(channels, [&]<int N>(int64_t c, auto lanes) {
        SumTile<N, K, S>(taps_[at], row_, begin, image + c, kernel + c, line + c, lanes);
      });
    }
  }

  const float *source_, *kernel_;
  float* target_;
  Shape from_, to_;
  Row row_;
  std::vector<std::vector<Tap>> taps_;
};

// B targets of a run, N vectors of channels each: the sum over taps of source * kernel.
template <int N, int B, typename Lanes>
void SumTaps(const std::vector<Tap>& rows, const Run& run, int64_t offset, const float* source, int64_t source_row,
             const float* kernel, int64_t kernel_columns, int64_t channels, float* target, Lanes lanes) {
  Vector sums[B][N] = {};
  const int64_t between = run.advance * channels;
  for (const Tap& row : rows) {
    for (const Tap& column : run.taps) {
      const float* weights = kernel + (row.kernel * kernel_columns + column.kernel) * channels;
      const float* from = source + row.source * source_row + (column.source + offset * run.advance) * channels;
      for (int n = 0; n < N; ++n) {
        const Vector weight = Load(weights + n * kLanes, lanes);
        for (int b = 0; b < B; ++b) sums[b][n] += Load(from + b * between + n * kLanes, lanes) * weight;
      }
    }
  }
  for (int b = 0; b < B; ++b) {
    float* to = target + (run.first + (offset + b) * run.step) * channels;
    for (int n = 0; n < N; ++n) Store(to + n * kLanes, sums[b][n], lanes);
  }
}

void GatherRuns(ffi::ThreadPool& pool, const float* source, Shape from, const float* kernel, const Axis& rows,
                const Axis& columns, bool transposed, float* target, Shape to) {
  const std::vector<Run> runs = columns.Runs(to.w, from.w, transposed);
  ParallelFor(pool, to.n * to.h, [&](int64_t task) {
    const std::vector<Tap> taps = rows.Taps(task % to.h, from.h, transposed);
    const float* image = source + task / to.h * from.h * from.w * from.c;
    float* line = target + task * to.w * to.c;
    ForChannels<4>(to.c, [&]<int N>(int64_t c, auto lanes) {
      const auto sum = [&]<int B>(const Run& run, int64_t b) {
        SumTaps<N, B>(taps, run, b, image + c, from.w * from.c, kernel + c, columns.kernel, to.c, line + c, lanes);
      };
      for (const Run& run : runs) {
        int64_t b = 0;
        for (; b + kColumns <= run.count; b += kColumns) sum.template operator()<kColumns>(run, b);
        for (; b < run.count; ++b) sum.template operator()<1>(run, b);
      }
    });
  });
}

void Gather(ffi::ThreadPool& pool, const float* source, Shape from, const float* kernel, const Axis& rows,
            const Axis& columns, bool transposed, float* target, Shape to) {
  const auto tiles = [&]<int K, int S>() {
    if (columns.kernel != K || columns.stride != S || columns.dilation != 1 || (transposed && S > 1)) return false;
    Tiles<K, S>(source, from, kernel, rows, columns, transposed, target, to).Run(pool);
    return true;
  };
  if (tiles.operator()<3, 1>() || tiles.operator()<5, 1>() || tiles.operator()<3, 2>() || tiles.operator()<5, 2>()) return;
  GatherRuns(pool, source, from, kernel, rows, columns, transposed, target, to);
}

// sums[k] += gradient * source over a run that meets all K taps of a kernel row.
template <int N, int K, typename Lanes>
void AddRun(const Run& run, int64_t spacing, const float* source, const float* gradient, int64_t channels,
            float* sums, Lanes lanes) {
  Vector totals[K][N];
  for (int k = 0; k < K; ++k)
    for (int n = 0; n < N; ++n) totals[k][n] = Load(sums + k * channels + n * kLanes, lanes);
  for (int64_t b = 0; b < run.count; ++b) {
    const float* grad = gradient + (run.first + b) * channels;
    const float* from = source + (run.taps[0].source + b * run.advance) * channels;
    for (int n = 0; n < N; ++n) {
      const Vector g = Load(grad + n * kLanes, lanes);
      for (int k = 0; k < K; ++k) totals[k][n] += g * Load(from + k * spacing + n * kLanes, lanes);
    }
  }
  for (int k = 0; k < K; ++k)
    for (int n = 0; n < N; ++n) Store(sums + k * channels + n * kLanes, totals[k][n], lanes);
}

template <int N, typename Lanes>
void AddAny(const Run& run, const float* source, const float* gradient, int64_t channels, float* sums,
            Lanes lanes) {
  for (const Tap& tap : run.taps) {
    for (int n = 0; n < N; ++n) {
      float* sum = sums + tap.kernel * channels + n * kLanes;
      Vector total = Load(sum, lanes);
      for (int64_t b = 0; b < run.count; ++b)
        total += Load(gradient + (run.first + b) * channels + n * kLanes, lanes) *
                 Load(source + (tap.source + b * run.advance) * channels + n * kLanes, lanes);
      Store(sum, total, lanes);
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
      ForChannels<4>(out.c, [&]<int N>(int64_t c, auto lanes) {
        for (const Tap& tap : taps) {
          const float* source = image + tap.source * from.w * from.c + c;
          float* sums = partial.data() + part * size + tap.kernel * columns.kernel * out.c + c;
          for (const Run& run : runs) {
            const bool whole = static_cast<int64_t>(run.taps.size()) == columns.kernel;
            if (whole && columns.kernel == 3)
              AddRun<N, 3>(run, dilation * from.c, source, grad + c, out.c, sums, lanes);
            else if (whole && columns.kernel == 5)
              AddRun<N, 5>(run, dilation * from.c, source, grad + c, out.c, sums, lanes);
            else
              AddAny<N>(run, source, grad + c, out.c, sums, lanes);
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
