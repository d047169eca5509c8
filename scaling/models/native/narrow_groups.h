// 3 x 3 convolution whose groups of 4 or 8 channels have as many features, several groups in a vector.
//
// A vector of channels is turned within its groups, so that every lane meets all of them: no product with a zero, as
// groups joined to a dense convolution have.
#pragma once

#include <array>

#include "dense_frame.h"
#include "group_tiles.h"

namespace native {

// Calls body.template operator()<S, G>() for a convolution that is of this kind; returns whether it is.
template <typename Body>
bool ForNarrowGroups(const Convolution& c, const Body& body) {
  const int64_t size = c.from.c / c.groups, stride = c.rows.stride;
  const auto fits = [&](const Window& w) { return w.size == 3 && w.dilation == 1 && w.stride == stride; };
  const bool alike = size == c.to.c / c.groups && 2 * size <= kLanes && fits(c.rows) && fits(c.columns);
  const auto run = [&]<int S, int G>() {
    if (!alike || stride != S || size != G) return false;
    body.template operator()<S, G>();
    return true;
  };
  return run.template operator()<1, 4>() || run.template operator()<2, 4>() || run.template operator()<1, 8>() ||
         run.template operator()<2, 8>();
}

// Where kernel (3, 3, G, channels) holds the weight of a tap between two channels of one group.
template <int G>
int64_t WeightAt(int64_t tap, int64_t source, int64_t feature, int64_t channels) {
  return (tap * G + source % G) * channels + feature;
}

// Weights in the order in which sums read them: vector of channels, row of taps, column, turn, lane.
template <int G>
void PackTurns(const float* kernel, int64_t channels, bool turned, float* to) {
  for (int64_t first = 0; first < channels; first += kLanes)
    for (int64_t tap = 0; tap < 9; ++tap)
      for (int64_t r = 0; r < G; ++r)
        for (int64_t c = first; c < first + kLanes; ++c, ++to) {
          const int64_t other = c / G * G + (c + r) % G, mirrored = tap / 3 * 3 + 2 - tap % 3;
          if (c >= channels) *to = 0.0f;
          else *to = kernel[turned ? WeightAt<G>(mirrored, c, other, channels) : WeightAt<G>(tap, other, c, channels)];
        }
}

// Forward pass or (turned, at stride 1) input gradient.
template <int S, int G, typename Pool>
void SumGroups(Pool& pool, const Convolution& c, bool turned, const float* from, const float* kernel, float* to) {
  constexpr int64_t kTap = G * kLanes;
  const int64_t channels = c.from.c;
  Buffer packed(CeilDiv(channels, kLanes) * 9 * kTap);
  PackTurns<G>(kernel, channels, turned, packed.data());
  const Weights weights{packed.data(), 9 * kTap, 3 * kTap, kTap, kLanes};
  const Images source = turned ? c.to : c.from, target = turned ? c.from : c.to;
  Tiles<3, S, G>({source, target, c.rows, c.columns, turned}, weights).Run(pool, from, to);
}

// sums[k][r] += pixels of tap k * gradients turned by r, over a row.
template <int S, int G>
void AddTurns(const Images& from, int64_t columns, int64_t low, const float* source, const float* gradient, float* sums,
              Part lanes) {
  Vector totals[3][G];
#pragma GCC unroll 32
  for (int i = 0; i < 3 * G; ++i) totals[i / G][i % G] = Load(sums + i * kLanes);
  for (int64_t b = 0; b < columns; ++b) {
    const Vector g = Load(gradient + b * from.c, lanes);
    Vector pixels[3] = {};
#pragma GCC unroll 3
    for (int k = 0; k < 3; ++k) {
      const int64_t column = b * S + k - low;
      if (column >= 0 && column < from.w) pixels[k] = Load(source + column * from.c, lanes);
    }
#pragma GCC unroll 8
    for (int r = 0; r < G; ++r) {
      const Vector turned = Turned<G>(g, r);
#pragma GCC unroll 3
      for (int k = 0; k < 3; ++k) totals[k][r] += pixels[k] * turned;
    }
  }
#pragma GCC unroll 32
  for (int i = 0; i < 3 * G; ++i) Store(sums + i * kLanes, totals[i / G][i % G]);
}

// Weight gradient: rows of the output are cut into parts by shape alone, which are added in their order.
template <int S, int G, typename Pool>
void SumGroupGradients(Pool& pool, const Convolution& c, const float* images, const float* gradients, float* kernel) {
  constexpr int64_t kRow = 3 * G * kLanes;  // sums of a row of taps
  const int64_t channels = c.from.c, vectors = CeilDiv(channels, kLanes), size = vectors * 3 * kRow;
  const int64_t lines = c.to.n * c.to.h, parts = std::min(lines, kParts);
  Buffer partial(parts * size);
  ParallelFor(pool, parts, [&](int64_t part) {
    float* mine = partial.data() + part * size;
    std::fill_n(mine, size, 0.0f);
    for (int64_t line = PartBegin(part, parts, lines); line < PartBegin(part + 1, parts, lines); ++line) {
      const float *image = images + line / c.to.h * c.from.h * c.from.w * channels, *row = gradients + line * c.to.w * channels;
      const std::vector<Tap> taps = TapsInside(c.rows, line % c.to.h, c.from.h, false);
      for (int64_t v = 0; v < vectors; ++v)
        for (const Tap& tap : taps)
          AddTurns<S, G>(c.from, c.to.w, c.columns.low, image + tap.offset * c.from.w * channels + v * kLanes,
                         row + v * kLanes, mine + (v * 3 + tap.kernel) * kRow,
                         Part(std::min<int64_t>(kLanes, channels - v * kLanes)));
    }
  });
  for (int64_t at = 0; at < size; ++at) {
    const int64_t c_in = at / (3 * kRow) * kLanes + at % kLanes, r = at / kLanes % G, tap = at / (G * kLanes) % 9;
    if (c_in >= channels) continue;
    float total = partial.data()[at];
    for (int64_t part = 1; part < parts; ++part) total += partial.data()[part * size + at];
    kernel[WeightAt<G>(tap, c_in, c_in / G * G + (c_in + r) % G, channels)] = total;
  }
}

}  // namespace native
