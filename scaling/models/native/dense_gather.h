// Forward pass and input gradient of a dense convolution: sums over taps and channels, tile by tile.
//
// Each value is summed by one tile, in the order of taps and channels: how work is cut does not change it.
#pragma once

#include "dense_frame.h"
#include "parallel.h"

namespace native {

// What one pass over a frame reads and writes; `panels` are its weights, in the order of the sum.
struct Pass {
  const Phase *rows, *columns;
  int64_t panels, taps;
};

template <typename Pool>
class Gather {
 public:
  Gather(Pool& pool, const Convolution& c, bool transposed)
      : pool_(pool),
        from_(transposed ? c.to : c.from),
        to_(transposed ? c.from : c.to),
        joined_(c),
        groups_(joined_.groups),
        transposed_(transposed),
        kernel_columns_(c.columns.size),
        rows_(c.rows, to_.h, transposed),
        columns_(c.columns, to_.w, transposed) {
    sources_ = from_.c / groups_, targets_ = to_.c / groups_;
    vectors_ = CeilDiv(targets_, kLanes), blocks_ = CeilDiv(vectors_, kPanel);
    for (const Phase& rows : rows_.phases) {
      for (const Phase& columns : columns_.phases) {
        const int64_t taps = static_cast<int64_t>(rows.taps.size() * columns.taps.size());
        passes_.push_back({&rows, &columns, weights_, taps});
        weights_ += groups_ * taps * sources_ * vectors_ * kLanes;
      }
    }
    Cut();
  }

  void Run(const float* from, const float* kernel, float* to) {
    if (by_blocks_) RunByBlocks(from, kernel, to);
    else RunByStrips(from, kernel, to);
  }

 private:
  struct Work {
    const float *from, *panels;
    float* to;
    int64_t first, strips;
  };

  int64_t Frames() const { return CeilDiv(strips_.all, at_once_); }

  int64_t FrameSize() const { return rows_.Span(strips_.height) * Frame(columns_, at_once_, sources_).line; }

  Work WorkOf(int64_t frame, const float* from, const float* panels, float* to) const {
    const int64_t first = frame * at_once_;
    return {from, panels, to, first, std::min(at_once_, strips_.all - first)};
  }

  // With far more weights than pixels: all frames are kept, and a block's weights are packed where they are used.
  void RunByBlocks(const float* from, const float* kernel, float* to) {
    const int64_t size = FrameSize();
    Buffer frames(Frames() * size);
    ParallelFor(pool_, Frames(), [&](int64_t at) {
      const Work work = WorkOf(at, from, nullptr, to);
      const Frame frame(columns_, work.strips, sources_);
      FillFrame(frame, strips_, work.first, rows_, columns_, from, from_, frames.data() + at * size);
    });
    ParallelFor(pool_, blocks_, [&](int64_t block) {
      std::vector<float> nowhere(to_.c);
      for (const Pass& pass : passes_) {
        float* panel = ThreadBuffer(pass.taps * sources_ * BlockVectors(block) * kLanes);
        PackBlock(pass, block, kernel, panel);
        for (int64_t at = 0; at < Frames(); ++at) {
          const Work work = WorkOf(at, from, nullptr, to);
          const Frame frame(columns_, work.strips, sources_);
          ComputeBlock(frame, pass, Offsets(frame, pass), Targets(work, pass, nowhere.data()), block, panel,
                       frames.data() + at * size);
        }
      }
    });
  }

  void RunByStrips(const float* from, const float* kernel, float* to) {
    Buffer panels(weights_);
    Pack(kernel, panels.data());
    ParallelFor(pool_, Frames() * chunks_, [&](int64_t task) {
      const int64_t chunk = task % chunks_, all = groups_ * blocks_;
      const Work work = WorkOf(task / chunks_, from, panels.data(), to);
      Compute(work, PartBegin(chunk, chunks_, all), PartBegin(chunk + 1, chunks_, all));
    });
  }

  // How many strips of how many rows a task takes, in what fits into the cache, with work for all threads.
  void Cut() {
    constexpr int64_t kSmall = 1 << 15, kLarge = 1 << 17, kFewWeights = 1 << 15;
    const int64_t budget = weights_ / groups_ > kFewWeights ? kLarge : kSmall;
    const int64_t n = from_.n, threads = static_cast<int64_t>(pool_.num_threads());
    at_once_ = StripsAtOnce(columns_.count, vectors_, n * rows_.count);
    const int64_t line = Frame(columns_, at_once_, sources_).line;
    by_blocks_ = groups_ == 1 && 2 * CeilDiv(n, at_once_) * rows_.Span(rows_.count) * line < weights_;
    if (by_blocks_) {
      strips_ = Strips(rows_.count, rows_.count, n);
      at_once_ = std::min(at_once_, n);
      return;
    }
    const int64_t fit = (budget / line - (rows_.high - rows_.low + 1)) / rows_.step + 1;
    int64_t height = std::clamp<int64_t>(fit, 1, rows_.count);
    while (height > 1 && CeilDiv(n * CeilDiv(rows_.count, height), at_once_) < threads) height = CeilDiv(height, 2);
    height = CeilDiv(rows_.count, CeilDiv(rows_.count, height));
    strips_ = Strips(rows_.count, height, n);
    at_once_ = std::min(at_once_, strips_.all);
    chunks_ = std::clamp<int64_t>(CeilDiv(2 * threads, CeilDiv(strips_.all, at_once_)), 1, groups_ * blocks_);
    if (threads == 1) chunks_ = 1;
  }

  // Weights of a block lie in the order in which its sums read them: [tap][source][target].
  void Pack(const float* kernel, float* panels) const {
    constexpr int64_t kInline = 1 << 14;
    const int64_t blocks = groups_ * blocks_, tasks = weights_ > kInline ? blocks : 1;
    ParallelFor(pool_, tasks, [&](int64_t task) {
      for (int64_t block = PartBegin(task, tasks, blocks); block < PartBegin(task + 1, tasks, blocks); ++block)
        for (const Pass& pass : passes_) PackBlock(pass, block, kernel, panels + BlockBegin(pass, block));
    });
  }

  int64_t BlockBegin(const Pass& pass, int64_t block) const {
    const int64_t vectors = block / blocks_ * vectors_ + block % blocks_ * kPanel;
    return pass.panels + vectors * kLanes * pass.taps * sources_;
  }

  int64_t BlockVectors(int64_t block) const { return std::min<int64_t>(kPanel, vectors_ - block % blocks_ * kPanel); }

  void PackBlock(const Pass& pass, int64_t block, const float* kernel, float* to) const {
    const int64_t width = BlockVectors(block) * kLanes, features = transposed_ ? from_.c : to_.c;
    for (const Tap& row : pass.rows->taps) {
      for (const Tap& column : pass.columns->taps) {
        const float* tap = kernel + (row.kernel * kernel_columns_ + column.kernel) * joined_.channels * features;
        if (transposed_) PackTurned(tap, block, width, to);
        else PackPlain(tap, block, width, to);
        to += sources_ * width;
      }
    }
  }

  // Rows of (source, target): of each, the targets of the block that belong to the source's own group.
  void PackPlain(const float* tap, int64_t block, int64_t width, float* to) const {
    constexpr int64_t kAhead = 16;
    const int64_t at = block % blocks_ * kPanel * kLanes, end = std::min(at + width, targets_);
    for (int64_t source = 0; source < sources_; ++source, to += width) {
      const int64_t member = source / joined_.channels;
      const int64_t first = std::max(at, member * joined_.features);
      const int64_t last = std::min(end, (member + 1) * joined_.features);
      const float* row = tap + source % joined_.channels * to_.c + block / blocks_ * targets_;
      __builtin_prefetch(row + at + kAhead * to_.c);  // rows lie far apart: nothing else asks for them in time
      __builtin_prefetch(row + at + kAhead * to_.c + kLanes);
      if (last - first < width) std::fill_n(to, width, 0.0f);
      CopyChannels(to + first - at, row + first, last - first);
    }
  }

  // Rows of (target, source), turned: of each, the sources that belong to the target's own group.
  void PackTurned(const float* tap, int64_t block, int64_t width, float* to) const {
    constexpr int64_t kNear = 64;  // sources whose part of the panel stays in the first level of the cache
    const int64_t at = block % blocks_ * kPanel * kLanes, have = std::min(width, targets_ - at);
    if (joined_.at_once > 1 || have < width) std::fill_n(to, sources_ * width, 0.0f);
    for (int64_t first = 0; first < sources_; first += kNear) {
      for (int64_t lane = 0; lane < have; ++lane) {
        const int64_t member = (at + lane) / joined_.channels, begin = std::max(first, member * joined_.features);
        const int64_t end = std::min({first + kNear, sources_, (member + 1) * joined_.features});
        const float* row = tap + (at + lane) % joined_.channels * from_.c + block / blocks_ * sources_;
        for (int64_t source = begin; source < end; ++source) to[source * width + lane] = row[source];
      }
    }
  }

  void Compute(const Work& work, int64_t begin, int64_t end) const {
    const Frame frame(columns_, work.strips, sources_);
    float* memory = ThreadBuffer(rows_.Span(strips_.height) * frame.line);
    std::vector<float> nowhere(to_.c);
    for (int64_t block = begin; block < end;) {
      const int64_t group = block / blocks_, last = std::min(end, (group + 1) * blocks_);
      FillFrame(frame, strips_, work.first, rows_, columns_, work.from + group * sources_, from_, memory);
      for (const Pass& pass : passes_) {
        const std::vector<int64_t> offsets = Offsets(frame, pass);
        const std::vector<float*> targets = Targets(work, pass, nowhere.data());
        for (int64_t b = block; b < last; ++b)
          ComputeBlock(frame, pass, offsets, targets, b, work.panels + BlockBegin(pass, b), memory);
      }
      block = last;
    }
  }

  // Where the taps lie from a target's place in the frame on.
  std::vector<int64_t> Offsets(const Frame& frame, const Pass& pass) const {
    std::vector<int64_t> offsets;
    for (const Tap& row : pass.rows->taps)
      for (const Tap& column : pass.columns->taps)
        offsets.push_back((row.offset - rows_.low) * frame.line + frame.columns[column.offset - columns_.low]);
    return offsets;
  }

  // The targets of each row of a pass, as they lie in tiles: column, then strip.
  std::vector<float*> Targets(const Work& work, const Pass& pass, float* nowhere) const {
    const int64_t columns = pass.columns->count, across = columns_.pitch * to_.c;
    std::vector<float*> targets(strips_.height * columns * work.strips);
    for (int64_t u = 0; u < work.strips; ++u) {
      const int64_t first = strips_.First(work.first + u);
      float* image = work.to + (strips_.Image(work.first + u) * to_.h * to_.w + pass.columns->first) * to_.c;
      for (int64_t t = 0; t < strips_.height; ++t) {
        float* row = image + (pass.rows->first + (first + t) * rows_.pitch) * to_.w * to_.c;
        const bool inside = first + t < pass.rows->count;
        for (int64_t column = 0; column < columns; ++column)
          targets[(t * columns + column) * work.strips + u] = inside ? row + column * across : nowhere;
      }
    }
    return targets;
  }

  void ComputeBlock(const Frame& frame, const Pass& pass, const std::vector<int64_t>& offsets,
                    const std::vector<float*>& targets, int64_t block, const float* panel, const float* memory) const {
    const int64_t vectors = BlockVectors(block), at = block % blocks_ * kPanel * kLanes;
    const int64_t merged = Merged(offsets);
    std::vector<int64_t> begins;
    for (size_t tap = 0; tap < offsets.size(); tap += merged) begins.push_back(offsets[tap]);
    const Segments segments{begins.data(), static_cast<int64_t>(begins.size()), sources_ * merged, frame.each};
    const int64_t pixels = pass.columns->count * frame.strips, tiles = CeilDiv(pixels, MostRows(vectors));
    for (int64_t t = 0; t < strips_.height; ++t) {
      for (int64_t tile = 0; tile < tiles; ++tile) {
        const int64_t first = PartBegin(tile, tiles, pixels), count = PartBegin(tile + 1, tiles, pixels) - first;
        const float* from = memory + t * rows_.step * frame.line + first * frame.each;
        SumOf(vectors, count)(segments, from, panel, targets.data() + t * pixels + first,
                              block / blocks_ * targets_ + at, targets_ - at);
      }
    }
  }

  // How many taps in a row lie side by side in the frame, so that they are one segment.
  int64_t Merged(const std::vector<int64_t>& offsets) const {
    const int64_t taps = static_cast<int64_t>(offsets.size());
    int64_t run = 1;
    while (run < taps && offsets[run] == offsets[run - 1] + sources_) ++run;
    if (taps % run != 0) return 1;
    for (int64_t tap = 0; tap < taps; ++tap)
      if (tap % run != 0 && offsets[tap] != offsets[tap - 1] + sources_) return 1;
    return run;
  }

  Pool& pool_;
  Images from_, to_;
  Joined joined_;
  int64_t groups_;
  bool transposed_;
  int64_t kernel_columns_;
  Axis rows_, columns_;
  int64_t sources_, targets_, vectors_, blocks_;  // a group's channels read and written; in vectors; in panels
  std::vector<Pass> passes_;
  int64_t weights_ = 0, at_once_ = 1, chunks_ = 1;
  bool by_blocks_ = false;
  Strips strips_{1, 1, 1};
};

}  // namespace native
