// Vectors of floats, as wide as the processor has them, and what fits into its registers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

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

template <int W>
struct Floats {
  typedef float Type __attribute__((vector_size(W * sizeof(float))));
};

template <int W>
using Vector = typename Floats<W>::Type;

template <int W>
inline Vector<W> Load(const float* from) {
  Vector<W> value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

template <int W>
inline void Store(float* to, Vector<W> value) {
  std::memcpy(to, &value, sizeof(value));
}

// Calls visit.template operator()<W, N>(c) for blocks of N vectors of W channels that cover all.
template <typename Visit>
void ForChannels(int64_t channels, const Visit& visit) {
  int64_t c = 0;
  for (; c + 4 * kLanes <= channels; c += 4 * kLanes) visit.template operator()<kLanes, 4>(c);
  for (; c + 2 * kLanes <= channels; c += 2 * kLanes) visit.template operator()<kLanes, 2>(c);
  for (; c + kLanes <= channels; c += kLanes) visit.template operator()<kLanes, 1>(c);
  for (; c + 4 <= channels; c += 4) visit.template operator()<4, 1>(c);
  for (; c < channels; ++c) visit.template operator()<1, 1>(c);
}

}  // namespace native
