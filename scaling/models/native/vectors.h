// Vectors of floats, as wide as the processor has them, and what fits into its registers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace native {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kRegisters = 32;
#else
constexpr int kRegisters = 16;
#endif

typedef float Vector __attribute__((vector_size(kLanes * sizeof(float))));

inline Vector Load(const float* from) {
  Vector value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

inline void Store(float* to, Vector value) { std::memcpy(to, &value, sizeof(value)); }

// All lanes of a vector, or its first `count`: what is left of the channels beside whole vectors.
struct Whole {};

#if defined(__AVX512F__)
struct Part {
  __mmask16 mask;
  explicit Part(int64_t count) : mask(static_cast<__mmask16>((1u << count) - 1)) {}
};

inline Vector Load(const float* from, Part lanes) { return _mm512_maskz_loadu_ps(lanes.mask, from); }
inline void Store(float* to, Vector value, Part lanes) { _mm512_mask_storeu_ps(to, lanes.mask, value); }
#elif defined(__AVX__)
struct Part {
  __m256i mask;
  explicit Part(int64_t count) {
    int32_t bits[kLanes];
    for (int i = 0; i < kLanes; ++i) bits[i] = i < count ? -1 : 0;
    std::memcpy(&mask, bits, sizeof(mask));
  }
};

inline Vector Load(const float* from, Part lanes) { return _mm256_maskload_ps(from, lanes.mask); }
inline void Store(float* to, Vector value, Part lanes) { _mm256_maskstore_ps(to, lanes.mask, value); }
#else
struct Part {
  int64_t count;
  explicit Part(int64_t count) : count(count) {}
};

inline Vector Load(const float* from, Part lanes) {
  Vector value = {};
  for (int64_t i = 0; i < lanes.count; ++i) value[i] = from[i];
  return value;
}
inline void Store(float* to, Vector value, Part lanes) {
  for (int64_t i = 0; i < lanes.count; ++i) to[i] = value[i];
}
#endif

inline Vector Load(const float* from, Whole) { return Load(from); }
inline void Store(float* to, Vector value, Whole) { Store(to, value); }

// Lane l of the result holds the lane r after it in its own group of G lanes.
template <int G>
inline Vector Turned(Vector value, int r) {
  if (r == 0) return value;
  typedef int32_t Integers __attribute__((vector_size(kLanes * sizeof(int32_t))));
  Integers lanes;
#pragma GCC unroll 16
  for (int l = 0; l < kLanes; ++l) lanes[l] = l / G * G + (l + r) % G;
#if defined(__AVX512F__)
  return _mm512_permutexvar_ps(reinterpret_cast<__m512i>(lanes), value);
#elif defined(__AVX2__)
  return _mm256_permutevar8x32_ps(value, reinterpret_cast<__m256i>(lanes));
#else
  Vector turned;
  for (int l = 0; l < kLanes; ++l) turned[l] = value[lanes[l]];
  return turned;
#endif
}

inline int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Calls visit.template operator()<1>(c, lanes) for single vectors of channels from `c` on.
template <typename Visit>
void ForParts(int64_t c, int64_t channels, const Visit& visit) {
  for (; c < channels; c += kLanes) visit.template operator()<1>(c, Part(std::min<int64_t>(kLanes, channels - c)));
}

// Calls visit.template operator()<V>(c, lanes) for blocks of V vectors of channels from `c` on that cover all: of N
// whole ones each, then of half as many, down to one whose lanes are those that are left.
template <int N, typename Visit>
void ForChannels(int64_t channels, const Visit& visit, int64_t c = 0) {
  for (; c + N * kLanes <= channels; c += N * kLanes) visit.template operator()<N>(c, Whole());
  if constexpr (N > 1) ForChannels<N / 2>(channels, visit, c);
  else ForParts(c, channels, visit);
}

}  // namespace native
