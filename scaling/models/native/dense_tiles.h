// The innermost loops of dense convolution: sums of R x P vectors that stay in registers.
//
// There is one instance for every R up to what fits, so that a row is cut into tiles of nearly one size.
#pragma once

#include <utility>

#include "vectors.h"

namespace native {

constexpr int kPanel = 2;  // vectors of features that one pass over a frame computes

// The most rows of a tile of P vectors: sums, weights and one broadcast value fill the registers.
template <int P>
constexpr int kTile = kRegisters == 32 ? (P == 1 ? 16 : 14) : (P == 1 ? 12 : 6);

inline int64_t MostRows(int64_t vectors) { return vectors == 1 ? kTile<1> : kTile<2>; }

// Stores (or adds, where nothing begins) the first `count` values: a block that ends within a vector.
[[gnu::noinline]] inline void StorePart(float* to, const float* from, int64_t count, bool begins) {
  for (int64_t i = 0; i < count; ++i) to[i] = begins ? from[i] : to[i] + from[i];
}

// Where the values of a sum lie: `count` segments of `steps` neighbours, `each` floats from pixel to pixel.
struct Segments {
  const int64_t* offsets;
  int64_t count, steps, each;
};

// to[r][0 .. features) = sum over segments and steps of from[offset + r * each + step] * panel[...].
template <int P, int R>
void SumTile(const Segments& segments, const float* from, const float* panel, float* const* to, int64_t at,
             int64_t features) {
  Vector sums[R][P] = {};
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
    for (int p = 0; p < P; ++p) __builtin_prefetch(to[r] + at + p * kLanes, 1);
  for (int64_t s = 0; s < segments.count; ++s) {
    const float* step = from + segments.offsets[s];
    for (int64_t i = 0; i < segments.steps; ++i, ++step, panel += P * kLanes) {
      Vector weights[P];
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) weights[p] = Load(panel + p * kLanes);
      const float* pixel = step;
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r, pixel += segments.each) {
#pragma GCC unroll 2
        for (int p = 0; p < P; ++p) sums[r][p] += weights[p] * *pixel;
      }
    }
  }
  if (features >= P * kLanes) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
      for (int p = 0; p < P; ++p) Store(to[r] + at + p * kLanes, sums[r][p]);
    return;
  }
  float all[R][P * kLanes];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
    for (int p = 0; p < P; ++p) Store(all[r] + p * kLanes, sums[r][p]);
  for (int r = 0; r < R; ++r) StorePart(to[r] + at, all[r], features, true);
}

// Pixels in `rows` of `columns`: images `step` floats apart, gradients packed one after the other.
struct Pixels {
  int64_t rows, columns, row, step;
};

// sums[r * pitch + 0 .. features) (+)= sum over pixels of images[pixel + r] * gradients[pixel]; `begins`: no +.
template <int P, int R>
void ProductTile(const Pixels& pixels, const float* images, const float* gradients, float* sums,
                 int64_t pitch, int64_t features, bool begins) {
  Vector totals[R][P] = {};
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
    for (int p = 0; p < P; ++p) __builtin_prefetch(sums + r * pitch + p * kLanes, 1);
  for (int64_t row = 0; row < pixels.rows; ++row) {
    const float* pixel = images + row * pixels.row;
    for (int64_t i = 0; i < pixels.columns; ++i, pixel += pixels.step, gradients += P * kLanes) {
      Vector g[P];
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) g[p] = Load(gradients + p * kLanes);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
        for (int p = 0; p < P; ++p) totals[r][p] += g[p] * pixel[r];
      }
    }
  }
  if (features >= P * kLanes) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      for (int p = 0; p < P; ++p) {
        float* to = sums + r * pitch + p * kLanes;
        Store(to, begins ? totals[r][p] : totals[r][p] + Load(to));
      }
    }
    return;
  }
  float all[R][P * kLanes];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
    for (int p = 0; p < P; ++p) Store(all[r] + p * kLanes, totals[r][p]);
  for (int r = 0; r < R; ++r) StorePart(sums + r * pitch, all[r], features, begins);
}

using SumFunction = void (*)(const Segments&, const float*, const float*, float* const*, int64_t, int64_t);
using ProductFunction = void (*)(const Pixels&, const float*, const float*, float*, int64_t, int64_t, bool);

template <int P, int... I>
SumFunction SumOf(int64_t rows, std::integer_sequence<int, I...>) {
  static constexpr SumFunction all[] = {SumTile<P, I + 1>...};
  return all[rows - 1];
}

template <int P, int... I>
ProductFunction ProductOf(int64_t rows, std::integer_sequence<int, I...>) {
  static constexpr ProductFunction all[] = {ProductTile<P, I + 1>...};
  return all[rows - 1];
}

inline SumFunction SumOf(int64_t vectors, int64_t rows) {
  if (vectors == 1) return SumOf<1>(rows, std::make_integer_sequence<int, kTile<1>>());
  return SumOf<2>(rows, std::make_integer_sequence<int, kTile<2>>());
}

inline ProductFunction ProductOf(int64_t vectors, int64_t rows) {
  if (vectors == 1) return ProductOf<1>(rows, std::make_integer_sequence<int, kTile<1>>());
  return ProductOf<2>(rows, std::make_integer_sequence<int, kTile<2>>());
}

}  // namespace native
