// Dense, grouped and depthwise convolution against loops over its definition, on random shapes: dense_check SEED COUNT.
//
// Every array has exactly its size, so that AddressSanitizer sees what is read or written beside it, and
// pools of 1, 2 and 4 threads must give equal bits. A value may be off by kUnits units in the last place
// of the sum of its terms' magnitudes.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "dense.h"
#include "depthwise.h"

namespace native {
namespace {

constexpr double kUnits = 8.0, kUnit = 1.0 / (1 << 23);

// Threads that live as long as their one task: their frames are new and no larger than asked for.
class Pool {
 public:
  explicit Pool(int64_t threads) : threads_(threads) {}
  ~Pool() {
    for (std::thread& thread : running_) thread.join();
  }
  int64_t num_threads() const { return threads_; }
  void Schedule(std::function<void()> task) { running_.emplace_back(std::move(task)); }

 private:
  int64_t threads_;
  std::vector<std::thread> running_;
};

struct Arrays {
  std::vector<float> x, kernel, y;  // images, weights and either the output or its gradient
};

template <typename T>
struct Sums {
  std::vector<T> y, x, kernel;
};

int64_t Size(Images i) { return i.n * i.h * i.w * i.c; }

int64_t KernelSize(const Convolution& c) {
  return c.rows.size * c.columns.size * (c.from.c / c.groups) * c.to.c;
}

// Calls visit(x, kernel, y) with the places of the factors and of the sum of every product.
template <typename Visit>
void ForProducts(const Convolution& c, const Visit& visit) {
  const int64_t channels = c.from.c / c.groups, features = c.to.c / c.groups;
  const auto source = [](Window w, int64_t target, int64_t tap) { return target * w.stride + tap * w.dilation - w.low; };
  for (int64_t pixel = 0; pixel < c.to.n * c.to.h * c.to.w; ++pixel) {
    const int64_t n = pixel / (c.to.h * c.to.w), oh = pixel / c.to.w % c.to.h, ow = pixel % c.to.w;
    for (int64_t tap = 0; tap < c.rows.size * c.columns.size; ++tap) {
      const int64_t h = source(c.rows, oh, tap / c.columns.size), w = source(c.columns, ow, tap % c.columns.size);
      if (h < 0 || h >= c.from.h || w < 0 || w >= c.from.w) continue;
      for (int64_t in = 0; in < channels; ++in)
        for (int64_t f = 0; f < c.to.c; ++f)
          visit(((n * c.from.h + h) * c.from.w + w) * c.from.c + f / features * channels + in,
                (tap * channels + in) * c.to.c + f, pixel * c.to.c + f);
    }
  }
}

Sums<double> Expected(const Convolution& c, const Arrays& a, bool magnitudes) {
  Sums<double> s{std::vector<double>(a.y.size()), std::vector<double>(a.x.size()), std::vector<double>(a.kernel.size())};
  ForProducts(c, [&](int64_t x, int64_t kernel, int64_t y) {
    const auto product = [&](float p, float q) { return magnitudes ? std::abs(double(p) * q) : double(p) * q; };
    s.y[y] += product(a.x[x], a.kernel[kernel]);
    s.x[x] += product(a.y[y], a.kernel[kernel]);
    s.kernel[kernel] += product(a.x[x], a.y[y]);
  });
  return s;
}

bool Depthwise(const Convolution& c) {
  const bool alike = c.rows.stride == c.columns.stride && c.rows.dilation == c.columns.dilation;
  return alike && c.groups > 1 && c.groups == c.from.c && c.groups == c.to.c;
}

Sums<float> Computed(const Convolution& c, const Arrays& a, int64_t threads) {
  Sums<float> s{std::vector<float>(a.y.size()), std::vector<float>(a.x.size()), std::vector<float>(a.kernel.size())};
  const auto run = [&](const std::function<void(Pool&)>& task) {
    std::thread([&] { Pool pool(threads); task(pool); }).join();
  };
  const float *x = a.x.data(), *kernel = a.kernel.data(), *y = a.y.data();
  if (Depthwise(c)) {
    run([&](Pool& pool) { SumDepthwise(pool, c, false, x, kernel, s.y.data()); });
    run([&](Pool& pool) { SumDepthwise(pool, c, true, y, kernel, s.x.data()); });
    run([&](Pool& pool) { SumDepthwiseGradients(pool, c, x, y, s.kernel.data()); });
    return s;
  }
  run([&](Pool& pool) { Convolve(pool, c, x, kernel, s.y.data()); });
  run([&](Pool& pool) { InputGradientOf(pool, c, y, kernel, s.x.data()); });
  run([&](Pool& pool) { KernelGradientOf(pool, c, x, y, s.kernel.data()); });
  return s;
}

class Random {
 public:
  explicit Random(int seed) : generator_(seed) {}
  int64_t From(std::vector<int64_t> values) { return values[generator_() % values.size()]; }
  int64_t Between(int64_t low, int64_t high) { return low + static_cast<int64_t>(generator_() % (high - low + 1)); }
  std::vector<float> Normal(int64_t size) {
    std::vector<float> values(size);
    std::normal_distribution<float> normal;
    for (float& value : values) value = normal(generator_);
    return values;
  }

 private:
  std::mt19937 generator_;
};

// A window over `size` pixels and the number of its places; padding may be wider than the window.
std::pair<Window, int64_t> Place(Random& random, int64_t size) {
  for (;;) {
    const Window w{random.From({1, 2, 3, 3, 5, 7, 11}), random.From({1, 1, 2, 3, 4}), random.From({1, 1, 2, 3}),
                   random.Between(0, 4)};
    const int64_t room = size + w.low + random.Between(0, 4) - (w.size - 1) * w.dilation - 1;
    if (room >= 0) return {w, room / w.stride + 1};
  }
}

// Groups as narrow as they have kernels of their own: the same window along both axes, as many features as channels.
Convolution DrawNarrow(Random& random) {
  const int64_t size = random.From({1, 1, 1, 4, 8}), channels = size * random.From({1, 2, 3, 7, 8, 20, 33, 40});
  const Window w{size == 1 ? random.From({3, 5, 5, 7}) : 3, random.From({1, 1, 2}), random.From({1, 1, 1, 2}), random.Between(0, 4)};
  const int64_t h = random.Between(9, 20), width = random.Between(9, 34), n = random.From({1, 2, 5});
  const auto places = [&](int64_t all) {
    return std::max<int64_t>(1, (all + w.low + random.Between(0, 4) - (w.size - 1) * w.dilation - 1) / w.stride + 1);
  };
  return {{n, h, width, channels}, {n, places(h), places(width), channels}, w, w, channels / size};
}

Convolution Draw(Random& random) {
  if (random.Between(0, 3) == 0) return DrawNarrow(random);
  constexpr int64_t kMost = 1 << 23;  // products
  for (;;) {
    const int64_t n = random.From({1, 1, 2, 3, 9}), groups = random.From({1, 1, 1, 2, 3, 8, 32});
    const int64_t channels = groups * random.From({1, 2, 3, 4, 8, 16, 17, 24, 33, 64, 128});
    const int64_t features = groups * random.From({1, 2, 3, 4, 7, 8, 16, 19, 24, 32, 40, 65});
    const int64_t h = random.Between(1, 34), w = random.Between(1, 34);
    const auto [rows, oh] = Place(random, h);
    const auto [columns, ow] = Place(random, w);
    const Convolution c{{n, h, w, channels}, {n, oh, ow, features}, rows, columns, groups};
    if (n * oh * ow * rows.size * columns.size * channels / groups * features <= kMost) return c;
  }
}

bool Close(const char* name, const std::vector<float>& found, const std::vector<double>& expected,
           const std::vector<double>& magnitudes) {
  for (size_t i = 0; i < found.size(); ++i) {
    if (std::abs(found[i] - expected[i]) <= kUnits * kUnit * magnitudes[i]) continue;
    std::printf("%s[%zu] is %.9g, not %.9g\n", name, i, found[i], expected[i]);
    return false;
  }
  return true;
}

bool Check(const Convolution& c, Random& random) {
  const Arrays a{random.Normal(Size(c.from)), random.Normal(KernelSize(c)), random.Normal(Size(c.to))};
  const Sums<double> expected = Expected(c, a, false), magnitudes = Expected(c, a, true);
  const Sums<float> found = Computed(c, a, 1);
  for (int64_t threads : {2, 4}) {
    const Sums<float> again = Computed(c, a, threads);
    if (again.y == found.y && again.x == found.x && again.kernel == found.kernel) continue;
    std::printf("%d threads give other bits\n", static_cast<int>(threads));
    return false;
  }
  return Close("output", found.y, expected.y, magnitudes.y) && Close("input gradient", found.x, expected.x, magnitudes.x) &&
         Close("weight gradient", found.kernel, expected.kernel, magnitudes.kernel);
}

void Print(const Convolution& c) {
  const auto window = [](Window w) {
    std::printf(" window %ld stride %ld dilation %ld low %ld;", long(w.size), long(w.stride), long(w.dilation),
                long(w.low));
  };
  std::printf("(%ld, %ld, %ld, %ld) to (%ld, %ld, %ld), groups %ld;", long(c.from.n), long(c.from.h), long(c.from.w),
              long(c.from.c), long(c.to.h), long(c.to.w), long(c.to.c), long(c.groups));
  window(c.rows), window(c.columns);
  std::printf("\n");
}

}  // namespace
}  // namespace native

int main(int, char** arguments) {
  native::Random random(std::atoi(arguments[1]));
  for (int i = 0; i < std::atoi(arguments[2]); ++i) {
    const native::Convolution shape = native::Draw(random);
    if (native::Check(shape, random)) continue;
    native::Print(shape);
    return 1;
  }
  return 0;
}
