// Loops on the threads of a pool: XLA's own, or any that has num_threads() and Schedule(task).
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

namespace native {

// The number of parts that a sum is cut into. It is fixed, so that a result does not depend on the
// number of threads.
constexpr int64_t kParts = 16;

// Runs task(0) ... task(count - 1) on the pool and on the calling thread; returns when all are done.
// The caller works too and waits only for tasks that have begun, so a busy pool cannot lock up.
template <typename Pool, typename Task>
void ParallelFor(Pool& pool, int64_t count, const Task& task) {
  struct Shared {
    std::atomic<int64_t> next{0}, done{0};
    std::mutex mutex;
    std::condition_variable all_done;
  };
  if (count <= 0) return;
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
