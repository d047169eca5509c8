// The geometry of a convolution of NHWC images.
#pragma once

#include <cstdint>
#include <vector>

namespace native {

struct Images {
  int64_t n, h, w, c;
};

struct Window {
  int64_t size, stride, dilation, low;
};

struct Convolution {
  Images from, to;  // what the forward pass reads and writes
  Window rows, columns;
  int64_t groups;
};

struct Tap {
  int64_t kernel, offset;  // which one, and where it meets the source
};

// The taps that output `at` meets among `size` inputs, or (transposed) input `at` among `size` outputs.
inline std::vector<Tap> TapsInside(Window window, int64_t at, int64_t size, bool transposed) {
  std::vector<Tap> taps;
  for (int64_t k = 0; k < window.size; ++k) {
    int64_t source = transposed ? at + window.low - k * window.dilation : at * window.stride + k * window.dilation - window.low;
    if (transposed && source % window.stride != 0) continue;
    if (transposed) source /= window.stride;
    if (source >= 0 && source < size) taps.push_back({k, source});
  }
  return taps;
}

}  // namespace native
