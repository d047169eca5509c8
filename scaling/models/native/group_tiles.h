// Sums over windows of narrow groups of channels, several groups in a vector: depthwise convolution and its like.
//
// In a group of G channels target t meets sources t, t + 1, ... modulo G: a turn of the source's vector each.
#pragma once

#include "convolution.h"
#include "parallel.h"
#include "vectors.h"

namespace native {

constexpr int kTargets = 8;                         // neighbours that one tile computes
constexpr int kVectors = kRegisters == 32 ? 2 : 1;  // and its vectors of channels, in groups of one

// Where the weights of tap k and turn r lie: `vector` from one vector of channels to the next.
struct Weights {
  const float* data;
  int64_t vector, row, tap, turn;
};

// Windows over `from` around each of `to`; turned: the input gradient of a window of stride 1.
struct Places {
  Images from, to;
  Window rows, columns;
  bool turned;
};

// What the tiles of a row share: the source pixel of target 0, and the floats from row to row.
struct Row {
  int64_t first, width, channels, source_row, targets;
  bool streams;  // images too large for the cache: what comes next is asked for
};

// Asks for a tile's targets, and for what the next row's tile will be the first to read. Inlined by order: a call
// that only prefetches is dropped as one without effect.
template <int N, int S>
[[gnu::always_inline]] inline void Prefetch(const std::vector<Tap>& rows, const Row& row, int64_t first,
                                            const float* source, float* target) {
#pragma GCC unroll 8
  for (int b = 0; b < kTargets; ++b)
    for (int n = 0; n < N; ++n)
      if (first + b < row.targets) __builtin_prefetch(target + (first + b) * row.channels + n * kLanes, 1);
  if (!row.streams || rows.empty()) return;
  const float* next = source + (std::max(rows.front().offset, rows.back().offset) + 1) * row.source_row;
  const float* pixel = next + std::max<int64_t>(0, row.first + first * S) * row.channels;
  for (int r = 0; r < S; ++r)
#pragma GCC unroll 16
    for (int j = 0; j < kTargets * S; ++j)
      for (int n = 0; n < N; ++n) __builtin_prefetch(pixel + r * row.source_row + j * row.channels + n * kLanes, 0, 2);
}

// kTargets neighbours, N vectors of channels each, for windows of K columns at stride S: every source pixel is read
// once a row of taps, and pixels of the border are left out.
template <int N, int K, int S, int G, typename Lanes>
void SumWindows(const std::vector<Tap>& rows, const Row& row, int64_t first, const float* source, const Weights& kernel,
                float* target, Lanes lanes) {
  Vector sums[kTargets][N] = {};
  const int64_t left = row.first + first * S, begin = -left, end = row.width - left;
  Prefetch<N, S>(rows, row, first, source, target);
  for (const Tap& at : rows) {
    const float* weights = kernel.data + at.kernel * kernel.row;
    const float* from = source + at.offset * row.source_row + left * row.channels;
    Vector weight[K][G][N];
#pragma GCC unroll 8
    for (int k = 0; k < K; ++k)
#pragma GCC unroll 8
      for (int r = 0; r < G; ++r)
        for (int n = 0; n < N; ++n)
          weight[k][r][n] = Load(weights + k * kernel.tap + r * kernel.turn + n * kernel.vector, lanes);
#pragma GCC unroll 32
    for (int j = 0; j < (kTargets - 1) * S + K; ++j) {
      if (j < begin || j >= end) continue;
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) {
        const Vector pixel = Load(from + j * row.channels + n * kLanes, lanes);
#pragma GCC unroll 8
        for (int r = 0; r < G; ++r) {
          const Vector turned = Turned<G>(pixel, r);
#pragma GCC unroll 8
          for (int k = 0; k < K; ++k)
            if ((j - k) % S == 0 && j >= k && (j - k) / S < kTargets) sums[(j - k) / S][n] += turned * weight[k][r][n];
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int b = 0; b < kTargets; ++b) {
    if (first + b >= row.targets) return;
    for (int n = 0; n < N; ++n) Store(target + (first + b) * row.channels + n * kLanes, sums[b][n], lanes);
  }
}

// Windows of K columns at stride S over groups of G channels, tile by tile. Large images stream through the cache
// row by row; of others a block of channels stays in the first level.
template <int K, int S, int G>
class Tiles {
 public:
  Tiles(const Places& p, const Weights& weights) : from_(p.from), to_(p.to), weights_(weights) {
    constexpr int64_t kSecondLevel = 1 << 17;
    const int64_t first = p.turned ? p.columns.low - K + 1 : -p.columns.low;
    row_ = {first, from_.w, to_.c, from_.w * to_.c, to_.w, from_.h * from_.w * to_.c > kSecondLevel};
    for (int64_t at = 0; at < to_.h; ++at) taps_.push_back(TapsInside(p.rows, at, from_.h, p.turned));
  }

  template <typename Pool>
  void Run(Pool& pool, const float* source, float* target) const {
    constexpr int64_t kFirstLevel = 1 << 13, kBlock = kVectors * kLanes;
    if (to_.n * to_.h == 0) return;
    const int64_t fit = kFirstLevel / (K * std::max<int64_t>(from_.w, 1)) / kBlock * kBlock;
    const int64_t block = row_.streams ? to_.c : std::max(kBlock, fit);
    const int64_t strips = std::clamp<int64_t>(CeilDiv(4 * static_cast<int64_t>(pool.num_threads()), to_.n), 1, to_.h);
    ParallelFor(pool, to_.n * strips, [&](int64_t task) {
      const int64_t example = task / strips, strip = task % strips;
      const float* image = source + example * from_.h * row_.source_row;
      for (int64_t c = 0; c < to_.c; c += block)
        for (int64_t at = PartBegin(strip, strips, to_.h); at < PartBegin(strip + 1, strips, to_.h); ++at)
          ComputeRow(at, c, std::min(block, to_.c - c), image, target + (example * to_.h + at) * to_.w * to_.c);
    });
  }

 private:
  void ComputeRow(int64_t at, int64_t channel, int64_t channels, const float* image, float* line) const {
    for (int64_t first = 0; first < to_.w; first += kTargets) {
      const int64_t begin = std::max<int64_t>(0, std::min(first, to_.w - kTargets));  // the last tile is full, too
      const auto sum = [&]<int N>(int64_t in_block, auto lanes) {
        const int64_t c = channel + in_block;
        Weights weights = weights_;
        weights.data += c / kLanes * weights.vector;
        SumWindows<N, K, S, G>(taps_[at], row_, begin, image + c, weights, line + c, lanes);
      };
      if constexpr (G == 1) ForChannels<kVectors>(channels, sum);
      else ForParts(0, channels, sum);
    }
  }

  Images from_, to_;
  Weights weights_;
  Row row_;
  std::vector<std::vector<Tap>> taps_;
};

}  // namespace native
