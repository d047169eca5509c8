// Weight gradient of a dense convolution: sums over pixels, for tiles of input channels and features.
//
// A task is a block of input channels and a part of the images. Both are cut by shape alone, and parts
// are added in their order, so that a sum does not depend on the number of threads.
#pragma once

#include "dense_frame.h"
#include "parallel.h"

namespace native {

template <typename Pool>
class WeightGradient {
 public:
  WeightGradient(Pool& pool, const Convolution& c)
      : pool_(pool),
        from_(c.from),
        to_(c.to),
        joined_(c),
        groups_(joined_.groups),
        rows_(c.rows, to_.h, false),
        columns_(c.columns, to_.w, false) {
    channels_ = from_.c / groups_, features_ = to_.c / groups_;
    taps_ = c.rows.size * c.columns.size, size_ = taps_ * channels_ * to_.c;
    Cut();
  }

  void Run(const float* images, const float* gradients, float* kernel) {
    const bool direct = parts_ == 1 && joined_.at_once == 1;
    Buffer partial(direct ? 0 : parts_ * size_);
    ParallelFor(pool_, parts_ * groups_ * blocks_, [&](int64_t task) {
      const int64_t block = task / parts_ % blocks_, part = task % parts_;
      const Work work{images, gradients, direct ? kernel : partial.data() + part * size_,
                      task / parts_ / blocks_, PartBegin(block, blocks_, channels_),
                      PartBegin(block + 1, blocks_, channels_)};
      const int64_t end = PartBegin(part + 1, parts_, strips_.all);
      bool begins = true;
      for (int64_t first = PartBegin(part, parts_, strips_.all); first < end; first += at_once_, begins = false)
        Add(work, first, std::min(at_once_, end - first), begins);
    });
    if (!direct) AddParts(partial.data(), kernel);
  }

 private:
  struct Work {
    const float *images, *gradients;
    float* sums;
    int64_t group, begin, end;  // of channels in the group
  };

  void Cut() {
    constexpr int64_t kPixels = 512, kFrame = 1 << 17, kMany = 256;
    // Wide blocks make full tiles; where there are many channels narrow ones save parts, and their memory.
    blocks_ = std::min(kParts, CeilDiv(channels_, channels_ < kMany ? 64 : 32));
    const int64_t vectors = std::min<int64_t>(kPanel, CeilDiv(features_, kLanes));
    at_once_ = StripsAtOnce(columns_.count, vectors, from_.n);
    if (columns_.count >= kPixels / 8) at_once_ = 1;
    const int64_t line = Frame(columns_, at_once_, CeilDiv(channels_, blocks_)).line;
    const int64_t fit = (kFrame / line - (rows_.high - rows_.low + 1)) / rows_.step + 1;
    int64_t height = std::min(fit, CeilDiv(kPixels, columns_.count * at_once_));
    height = std::clamp<int64_t>(height, 1, rows_.count);
    strips_ = Strips(rows_.count, CeilDiv(rows_.count, CeilDiv(rows_.count, height)), from_.n);
    at_once_ = std::min(at_once_, strips_.all);
    parts_ = std::clamp<int64_t>(kParts / (blocks_ * groups_), 1, CeilDiv(strips_.all, at_once_));
  }

  // Adds what `strips` strips from `first` on give to the task's part of the sums.
  void Add(const Work& work, int64_t first, int64_t strips, bool begins) const {
    const int64_t channels = work.end - work.begin, pixels = columns_.count * strips;
    const Frame frame(columns_, strips, channels);
    float* images = ThreadBuffer(rows_.Span(strips_.height) * frame.line);
    const float* from = work.images + work.group * channels_ + work.begin;
    FillFrame(frame, strips_, first, rows_, columns_, from, from_, images);
    const int64_t rows = strips == 1 ? std::min(strips_.height, to_.h - strips_.First(first)) : strips_.height;
    const Pixels walk{rows, pixels, rows_.step * frame.line, frame.each};
    if (strips == 1 && to_.c % kLanes == 0 && to_.c <= kPanel * kLanes && groups_ == 1) {
      const int64_t row = strips_.Image(first) * to_.h + strips_.First(first);  // the gradients lie as if packed
      AddPanel(work, frame, 0, to_.c / kLanes, walk, images, work.gradients + row * to_.w * to_.c, begins);
      return;
    }
    float* gradients = ThreadBuffer(strips_.height * pixels * kPanel * kLanes, 1);
    for (int64_t f = 0; f < features_; f += kPanel * kLanes) {
      const int64_t vectors = std::min<int64_t>(kPanel, CeilDiv(features_ - f, kLanes));
      FillGradients(work, first, strips, f, vectors, gradients);
      AddPanel(work, frame, f, vectors, walk, images, gradients, begins);
    }
  }

  // Packs a panel of features: row, column, strip, feature; zeros where a strip or the features end.
  void FillGradients(const Work& work, int64_t first, int64_t strips, int64_t f, int64_t vectors, float* to) const {
    const int64_t width = vectors * kLanes, have = std::min(width, features_ - f);
    const float* from = work.gradients + work.group * features_ + f;
    for (int64_t t = 0; t < strips_.height; ++t) {
      for (int64_t u = 0; u < strips; ++u) {
        const int64_t at = strips_.First(first + u) + t, image = strips_.Image(first + u);
        const float* row = from + (image * to_.h + at) * to_.w * to_.c;
        float* target = to + (t * columns_.count * strips + u) * width;
        for (int64_t column = 0; column < columns_.count; ++column, target += strips * width) {
          const int64_t copied = at < to_.h ? have : 0;
          CopyChannels(target, row + column * to_.c, copied);
          std::fill_n(target + copied, width - copied, 0.0f);
        }
      }
    }
  }

  void AddPanel(const Work& work, const Frame& frame, int64_t f, int64_t vectors, const Pixels& walk, const float* images,
                const float* gradients, bool begins) const {
    const int64_t channels = work.end - work.begin;
    const int64_t merged = frame.strips == 1 && channels == channels_ ? MergedTaps(frame) : 1;
    const std::vector<Tap>&rows = rows_.phases[0].taps, &columns = columns_.phases[0].taps;
    const int64_t run = merged * channels, tiles = CeilDiv(run, MostRows(vectors));
    for (const Tap& row : rows) {
      for (size_t column = 0; column < columns.size(); column += merged) {
        const int64_t tap = row.kernel * static_cast<int64_t>(columns.size()) + columns[column].kernel;
        const float* source = images + (row.offset - rows_.low) * frame.line +
                              frame.columns[columns[column].offset - columns_.low];
        float* sums = work.sums + (tap * channels_ + work.begin) * to_.c + work.group * features_ + f;
        for (int64_t tile = 0; tile < tiles; ++tile) {
          const int64_t c = PartBegin(tile, tiles, run), count = PartBegin(tile + 1, tiles, run) - c;
          ProductOf(vectors, count)(walk, source + c, gradients, sums + c * to_.c, to_.c, features_ - f, begins);
        }
      }
    }
  }

  // A row of taps is one run of channels where its pixels lie side by side.
  int64_t MergedTaps(const Frame& frame) const {
    const std::vector<Tap>& columns = columns_.phases[0].taps;
    const bool beside = columns.size() > 1 && frame.pitch == channels_ && columns[1].offset == columns[0].offset + 1;
    return beside ? static_cast<int64_t>(columns.size()) : 1;
  }

  void AddParts(const float* partial, float* kernel) const {
    constexpr int64_t kInline = 1 << 14;
    const int64_t rows = taps_ * joined_.channels, tasks = size_ > kInline ? kParts : 1;
    ParallelFor(pool_, tasks, [&](int64_t task) {
      for (int64_t row = PartBegin(task, tasks, rows); row < PartBegin(task + 1, tasks, rows); ++row)
        for (int64_t f = 0; f < to_.c; f += joined_.at_once > 1 ? joined_.features : to_.c)
          AddRow(partial, row, f, kernel + row * to_.c + f);
    });
  }

  // A row (tap, channel) of the kernel: of joined groups, the features from `f` on of one of them.
  void AddRow(const float* partial, int64_t row, int64_t f, float* to) const {
    const int64_t tap = row / joined_.channels, member = f / joined_.features % joined_.at_once;
    const int64_t count = joined_.at_once > 1 ? joined_.features : to_.c;
    const float* from = partial + (tap * channels_ + member * joined_.channels + row % joined_.channels) * to_.c + f;
    std::copy_n(from, count, to);
    for (int64_t part = 1; part < parts_; ++part)
      for (int64_t i = 0; i < count; ++i) to[i] += from[part * size_ + i];
  }

  Pool& pool_;
  Images from_, to_;
  Joined joined_;
  int64_t groups_;
  Axis rows_, columns_;
  int64_t channels_, features_, taps_, size_;
  int64_t blocks_ = 1, parts_ = 1, at_once_ = 1;
  Strips strips_{1, 1, 1};
};

}  // namespace native
