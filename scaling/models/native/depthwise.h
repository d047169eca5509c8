// Depthwise convolution and its two gradients.
//
// Forward pass and input gradient are the same sum over taps, seen from the target pixel. Common windows are summed
// tile by tile; for all others each axis is cut into runs of targets that meet the same taps, so that no padding is
// stored and no tap is tested within a loop. Sums stay in registers.
#pragma once

#include "group_tiles.h"

namespace native {

constexpr int kColumns = kLanes == 16 ? 4 : 2;  // target pixels at once, as registers allow

// Targets first, first + step, ...: target number b meets tap.kernel at tap.offset + b * advance.
struct Run {
  int64_t first, step, count, advance;
  std::vector<Tap> taps;
};

inline bool Continues(const Run& run, const std::vector<Tap>& taps) {
  if (run.taps.size() != taps.size()) return false;
  for (size_t i = 0; i < taps.size(); ++i) {
    const int64_t expected = run.taps[i].offset + run.count * run.advance;
    if (taps[i].kernel != run.taps[i].kernel || taps[i].offset != expected) return false;
  }
  return true;
}

inline std::vector<Run> Runs(Window window, int64_t targets, int64_t size, bool transposed) {
  const int64_t step = transposed ? window.stride : 1, advance = transposed ? 1 : window.stride;
  std::vector<Run> runs;
  for (int64_t phase = 0; phase < step; ++phase) {
    for (int64_t at = phase; at < targets; at += step) {
      std::vector<Tap> taps = TapsInside(window, at, size, transposed);
      if (at == phase || !Continues(runs.back(), taps)) runs.push_back({at, step, 0, advance, std::move(taps)});
      ++runs.back().count;
    }
  }
  return runs;
}

// B targets of a run, N vectors of channels each: the sum over taps of source * kernel.
template <int N, int B, typename Lanes>
void SumTaps(const std::vector<Tap>& rows, const Run& run, int64_t offset, const float* source, int64_t source_row,
             const float* kernel, int64_t kernel_columns, int64_t channels, float* target, Lanes lanes) {
  Vector sums[B][N] = {};
  const int64_t between = run.advance * channels;
  for (const Tap& row : rows) {
    for (const Tap& column : run.taps) {
      const float* weights = kernel + (row.kernel * kernel_columns + column.kernel) * channels;
      const float* from = source + row.offset * source_row + (column.offset + offset * run.advance) * channels;
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

template <typename Pool>
void SumRuns(Pool& pool, const Places& p, const float* source, const float* kernel, float* target) {
  const Images from = p.from, to = p.to;
  const Window rows = p.rows, columns = p.columns;
  const bool transposed = p.turned;
  const std::vector<Run> runs = Runs(columns, to.w, from.w, transposed);
  ParallelFor(pool, to.n * to.h, [&](int64_t task) {
    const std::vector<Tap> taps = TapsInside(rows, task % to.h, from.h, transposed);
    const float* image = source + task / to.h * from.h * from.w * from.c;
    float* line = target + task * to.w * to.c;
    ForChannels<4>(to.c, [&]<int N>(int64_t c, auto lanes) {
      const auto sum = [&]<int B>(const Run& run, int64_t b) {
        SumTaps<N, B>(taps, run, b, image + c, from.w * from.c, kernel + c, columns.size, to.c, line + c, lanes);
      };
      for (const Run& run : runs) {
        int64_t b = 0;
        for (; b + kColumns <= run.count; b += kColumns) sum.template operator()<kColumns>(run, b);
        for (; b < run.count; ++b) sum.template operator()<1>(run, b);
      }
    });
  });
}

// Forward pass or (turned) input gradient.
template <typename Pool>
void SumDepthwise(Pool& pool, const Convolution& c, bool turned, const float* source, const float* kernel, float* target) {
  const Places places{turned ? c.to : c.from, turned ? c.from : c.to, c.rows, c.columns, turned};
  const Window window = c.columns;
  const int64_t channels = c.from.c;
  const auto tiles = [&]<int K, int S>() {
    if (window.size != K || window.stride != S || window.dilation != 1 || (turned && S > 1)) return false;
    const float* first = kernel + (turned ? (K - 1) * channels : 0);
    const Weights weights{first, kLanes, K * channels, turned ? -channels : channels, 0};
    Tiles<K, S, 1>(places, weights).Run(pool, source, target);
    return true;
  };
  if (!(tiles.template operator()<3, 1>() || tiles.template operator()<5, 1>() || tiles.template operator()<3, 2>() ||
        tiles.template operator()<5, 2>()))
    SumRuns(pool, places, source, kernel, target);
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
    const float* from = source + (run.taps[0].offset + b * run.advance) * channels;
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
                 Load(source + (tap.offset + b * run.advance) * channels + n * kLanes, lanes);
      Store(sum, total, lanes);
    }
  }
}

template <typename Pool>
void SumDepthwiseGradients(Pool& pool, const Convolution& c, const float* images, const float* gradients, float* kernel) {
  const Images from = c.from, out = c.to;
  const Window rows = c.rows, columns = c.columns;
  const std::vector<Run> runs = Runs(columns, out.w, from.w, false);
  const int64_t size = rows.size * columns.size * from.c, lines = out.n * out.h, parts = std::min(lines, kParts);
  std::vector<float> partial(parts * size, 0.0f);
  ParallelFor(pool, parts, [&](int64_t part) {
    for (int64_t line = PartBegin(part, parts, lines); line < PartBegin(part + 1, parts, lines); ++line) {
      const float* image = images + line / out.h * from.h * from.w * from.c;
      const float* grad = gradients + line * out.w * out.c;
      const std::vector<Tap> taps = TapsInside(rows, line % out.h, from.h, false);
      ForChannels<4>(out.c, [&]<int N>(int64_t c, auto lanes) {
        for (const Tap& tap : taps) {
          const float* source = image + tap.offset * from.w * from.c + c;
          float* sums = partial.data() + part * size + tap.kernel * columns.size * out.c + c;
          for (const Run& run : runs) {
            const bool whole = static_cast<int64_t>(run.taps.size()) == columns.size;
            if (whole && columns.size == 3)
              AddRun<N, 3>(run, columns.dilation * from.c, source, grad + c, out.c, sums, lanes);
            else if (whole && columns.size == 5)
              AddRun<N, 5>(run, columns.dilation * from.c, source, grad + c, out.c, sums, lanes);
            else
              AddAny<N>(run, source, grad + c, out.c, sums, lanes);
          }
        }
      });
    }
  });
  for (int64_t i = 0; i < size; ++i) {
    float total = 0.0f;
    for (int64_t part = 0; part < parts; ++part) total += partial[part * size + i];
    kernel[i] = total;
  }
}

}  // namespace native
