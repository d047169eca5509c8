// The geometry of a dense convolution, and the frames with zero borders that its sums read.
//
// A sum over taps is seen from its targets: along each axis target t of a phase meets tap k at source
// t * step + offset. A forward pass has one phase and the stride as its step; an input gradient has a
// phase for each remainder by the stride, and step 1.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "convolution.h"
#include "dense_tiles.h"

namespace native {

// Narrow groups are computed several at once, to fill a vector: weights between two of them are zero.
struct Joined {
  int64_t groups, at_once;      // joined groups, and how many of the convolution's each of them holds
  int64_t channels, features;   // of one of the convolution's groups

  explicit Joined(const Convolution& c)
      : groups(c.groups), at_once(1), channels(c.from.c / c.groups), features(c.to.c / c.groups) {
    for (int64_t n = 2; n * std::max(channels, features) <= kLanes; ++n)
      if (c.groups % n == 0) at_once = n;
    groups /= at_once;
  }
};

// Targets first, first + pitch, ... of an axis, all of which meet the same taps.
struct Phase {
  int64_t first, count;
  std::vector<Tap> taps;
};

struct Axis {
  int64_t step, pitch, count = 0, low = 0, high = 0;  // of all phases: most targets, range of offsets
  std::vector<Phase> phases;

  Axis(Window window, int64_t targets, bool transposed)
      : step(transposed ? 1 : window.stride), pitch(transposed ? window.stride : 1) {
    for (int64_t at = 0; at < std::min(pitch, targets); ++at)
      phases.push_back({at, CeilDiv(targets - at, pitch), Taps(window, at, transposed)});
    bool any = false;
    for (const Phase& phase : phases) {
      count = std::max(count, phase.count);
      for (const Tap& tap : phase.taps) {
        low = any ? std::min(low, tap.offset) : tap.offset;
        high = any ? std::max(high, tap.offset) : tap.offset;
        any = true;
      }
    }
  }

  // How many sources `targets` of them span.
  int64_t Span(int64_t targets) const { return (targets - 1) * step + high - low + 1; }

 private:
  static std::vector<Tap> Taps(Window window, int64_t at, bool transposed) {
    std::vector<Tap> taps;
    for (int64_t k = 0; k < window.size; ++k) {
      const int64_t seen = transposed ? at + window.low - k * window.dilation : k * window.dilation - window.low;
      if (!transposed) taps.push_back({k, seen});
      else if (seen % window.stride == 0) taps.push_back({k, seen / window.stride});
    }
    return taps;
  }
};

struct Free {
  void operator()(float* memory) const { std::free(memory); }
};

// Floats at the beginning of a cache line, not cleared.
class Buffer {
 public:
  explicit Buffer(int64_t count = 0) { Grow(count); }
  float* data() const { return memory_.get(); }
  void Grow(int64_t count) {
    if (count <= size_) return;
    constexpr size_t kLine = 64;
    memory_.reset();
    memory_.reset(static_cast<float*>(std::aligned_alloc(kLine, CeilDiv(count * sizeof(float), kLine) * kLine)));
    if (!memory_) throw std::bad_alloc();
    size_ = count;
  }

 private:
  std::unique_ptr<float[], Free> memory_;
  int64_t size_ = 0;
};

// Frames stay with their thread: memory that is in cache already.
inline float* ThreadBuffer(int64_t count, int slot = 0) {
  thread_local Buffer buffers[2];
  buffers[slot].Grow(count);
  return buffers[slot].data();
}

// Rows of `strips` images or parts of images at once. Column, then strip, then channel: with several
// strips narrow images fill tiles, too, and all tiles step evenly from pixel to pixel.
struct Frame {
  int64_t strips, width, channels, pitch;  // pixels a row; floats that a pixel holds, and takes
  int64_t each, line;                      // floats from one target's pixel to the next one's, and a row's
  std::vector<int64_t> columns;            // where they begin in a row

  Frame(const Axis& axis, int64_t strips, int64_t channels)
      : strips(strips), width(axis.Span(axis.count)), channels(channels), pitch(channels), columns(width) {
    if (pitch % 128 == 0) pitch += 16;  // else a tile's pixels share few sets of the cache
    const int64_t residues = strips > 1 ? axis.step : 1;  // those that targets meet together lie side by side
    const int64_t a_residue = CeilDiv(width, residues);
    each = (strips > 1 ? 1 : axis.step) * pitch, line = residues * a_residue * strips * pitch;
    for (int64_t c = 0; c < width; ++c)
      columns[c] = (c % residues * a_residue + c / residues) * strips * pitch;
  }

  bool Plain(int64_t c) const { return strips == 1 && pitch == c; }
};

inline void CopyChannels(float* to, const float* from, int64_t count) {
  int64_t c = 0;
  for (; c + kLanes <= count; c += kLanes) Store(to + c, Load(from + c));
  for (; c < count; ++c) to[c] = from[c];
}

// One row of an image, from `left` on, into strip `strip` of a frame's line; null: a row of the border.
inline void FillLine(const Frame& frame, const float* row, Images images, int64_t left, int64_t strip, float* line) {
  const int64_t begin = row ? std::clamp<int64_t>(-left, 0, frame.width) : frame.width;
  const int64_t end = row ? std::clamp<int64_t>(images.w - left, begin, frame.width) : frame.width;
  if (frame.Plain(images.c)) {
    std::fill_n(line, begin * images.c, 0.0f);
    if (end > begin) {
      const size_t bytes = (end - begin) * images.c * sizeof(float);
      std::memcpy(line + begin * images.c, row + (begin + left) * images.c, bytes);
    }
    std::fill_n(line + end * images.c, (frame.width - end) * images.c, 0.0f);
    return;
  }
  for (int64_t column = 0; column < frame.width; ++column) {
    float* to = line + frame.columns[column] + strip * frame.pitch;
    if (column < begin || column >= end) std::fill_n(to, frame.channels, 0.0f);
    else CopyChannels(to, row + (column + left) * images.c, frame.channels);
  }
}

// Strips of `height` targets: `a_image` of them cover the `rows` targets of one.
struct Strips {
  int64_t rows, height, a_image, all;

  Strips(int64_t rows, int64_t height, int64_t n)
      : rows(rows), height(height), a_image(CeilDiv(rows, height)), all(a_image * n) {}

  int64_t Image(int64_t strip) const { return strip / a_image; }
  int64_t First(int64_t strip) const { return strip % a_image * height; }
};

// The rows that strips first, first + 1, ... read, for channels of `source` (that of its first one on).
inline void FillFrame(const Frame& frame, const Strips& strips, int64_t first, const Axis& rows, const Axis& columns,
                      const float* source, Images images, float* to) {
  const int64_t lines = rows.Span(strips.height);
  for (int64_t u = 0; u < frame.strips; ++u) {
    const int64_t top = strips.First(first + u) * rows.step + rows.low;
    const float* image = source + strips.Image(first + u) * images.h * images.w * images.c;
    for (int64_t line = 0; line < lines; ++line) {
      const int64_t row = top + line;
      const float* from = row >= 0 && row < images.h ? image + row * images.w * images.c : nullptr;
      FillLine(frame, from, images, columns.low, u, to + line * frame.line);
    }
  }
}

// The fewest images at once with which a row's targets make tiles that are nearly full.
inline int64_t StripsAtOnce(int64_t columns, int64_t vectors, int64_t limit) {
  constexpr int64_t kMost = 8;
  const int64_t most = MostRows(vectors);
  int64_t best = 1;
  double best_fill = 0.0;
  for (int64_t strips = 1; strips <= std::min(kMost, limit); ++strips) {
    const int64_t pixels = columns * strips, tiles = CeilDiv(pixels, most);
    const double fill = static_cast<double>(pixels) / static_cast<double>(tiles * most);
    if (fill > best_fill) best = strips, best_fill = fill;
    if (fill >= 0.7) return strips;
  }
  return best;
}

}  // namespace native
