// Vectors of floats, and loops on the threads of XLA's own pool.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>

#include "xla/ffi/api/ffi.h"

namespace native {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

// The number of parts that a sum is cut into. It is fixed, so that a result does not depend on the
// number of threads.
constexpr int64_t kParts = 16;

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

// Runs task(0) ... task(count - 1) on the pool and on the calling thread; returns when all are done.
// The caller works too and waits only for tasks that have begun, so a busy pool cannot lock up.
template <typename Task>
void ParallelFor(xla::ffi::ThreadPool& pool, int64_t count, const Task& task) {
  struct Shared {
    std::atomic<int64_t> next{0}, done{0};
    std::mutex mutex;
    std::condition_variable all_done;
  };
  auto shared = std::make_shared<Shared>();
  auto work = [shared, count, &task] {
    for (int64_t i; (i = shared->next.fetch_add(1)) < count;) {
      task(i);
      if (shared->done.fetch_add(1) + 1 == count) {
        std::lock_guard<std::mutex> lock(shared->mutex);
        shared->all_done.notify_one();
      }
    }
  };
  const int64_t helpers = std::min<int64_t>(pool.num_threads(), count) - 1;
  for (int64_t i = 0; i < helpers; ++i) pool.Schedule(decltype(work)(work));
  work();
  std::unique_lock<std::mutex> lock(shared->mutex);
  shared->all_done.wait(lock, [&] { return shared->done.load() == count; });
}

// Where part `part` of `count` things begins.
inline int64_t PartBegin(int64_t part, int64_t parts, int64_t count) { return part * count / parts; }

}  // namespace native
