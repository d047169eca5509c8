// Batch normalisation with its activation, as passes over float32 images seen as (pixels, channels).
//
// The small arithmetic a channel (means, running statistics, sums over devices) stays in JAX: here is
// what reads every pixel. An activation is recomputed where its gradient needs it, not stored.

#include <vector>

#include "parallel.h"
#include "vectors.h"
#include "xla/ffi/api/ffi.h"

namespace native {
namespace {

namespace ffi = xla::ffi;

constexpr int64_t kTile = 32;  // pixels whose values stay in cache between the blocks of channels

// exp(x) within 2 units in the last place: 2^n times a polynomial in the rest.
inline Vector Exp(Vector x) {
  typedef int32_t Integers __attribute__((vector_size(kLanes * sizeof(int32_t))));
  x = x < -87.0f ? Vector{} - 87.0f : x;
  x = x > 88.0f ? Vector{} + 88.0f : x;
  const Vector magic = Vector{} + 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const Vector n = (x * 1.44269504f + magic) - magic;
  const Vector r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Vector p = Vector{} + 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const Integers power = (__builtin_convertvector(n, Integers) + 127) << 23;
  Vector scale;
  std::memcpy(&scale, &power, sizeof(scale));
  return p * scale;
}

inline Vector Sigmoid(Vector v) {
  return 1.0f / (1.0f + Exp(-v));
}

inline Vector Clip(Vector v, float low, float high) {
  v = v < low ? Vector{} + low : v;
  return v > high ? Vector{} + high : v;
}

struct Identity {
  static Vector Value(Vector v) { return v; }
  static Vector Slope(Vector) { return Vector{} + 1.0f; }
};

struct Relu {
  static Vector Value(Vector v) { return v <= 0.0f ? Vector{} : v; }  // what is no number stays
  static Vector Slope(Vector v) { return v > 0.0f ? Vector{} + 1.0f : Vector{}; }
};

struct Relu6 {
  static Vector Value(Vector v) { return Clip(v, 0.0f, 6.0f); }
  static Vector Slope(Vector v) {
    const Vector one = v > 0.0f ? Vector{} + 1.0f : Vector{};
    return v < 6.0f ? one : Vector{};
  }
};

struct Silu {
  static Vector Value(Vector v) { return v * Sigmoid(v); }
  static Vector Slope(Vector v) {
    const Vector s = Sigmoid(v);
    return s + v * s * (1.0f - s);
  }
};

struct HardSwish {
  static Vector Value(Vector v) { return v * Clip(v + 3.0f, 0.0f, 6.0f) * (1.0f / 6.0f); }
  static Vector Slope(Vector v) {
    const Vector inside = v * (1.0f / 3.0f) + 0.5f;
    const Vector above = v >= 3.0f ? Vector{} + 1.0f : inside;
    return v <= -3.0f ? Vector{} : above;
  }
};

// Calls body with the activation of that number; the order is that of `ACTIVATIONS` in __init__.py.
template <typename Body>
ffi::Error WithActivation(int64_t number, const Body& body) {
  switch (number) {
    case 0: body(Identity()); break;
    case 1: body(Relu()); break;
    case 2: body(Relu6()); break;
    case 3: body(Silu()); break;
    case 4: body(HardSwish()); break;
    default: return ffi::Error::InvalidArgument("unknown activation number");
  }
  return ffi::Error::Success();
}

struct Pixels {
  int64_t count, channels;
  explicit Pixels(ffi::Buffer<ffi::F32>& x)
      : count(x.element_count() / std::max<int64_t>(1, x.dimensions().back())), channels(x.dimensions().back()) {}
};

// visit.operator()<N>(part, first pixel, end, channel, lanes), tile by tile, in parallel over parts.
template <typename Visit>
void ForTiles(ffi::ThreadPool& pool, Pixels shape, int64_t parts, const Visit& visit) {
  ParallelFor(pool, parts, [&](int64_t part) {
    const int64_t end = PartBegin(part + 1, parts, shape.count);
    for (int64_t first = PartBegin(part, parts, shape.count); first < end; first += kTile) {
      const int64_t last = std::min(first + kTile, end);
      ForChannels<4>(shape.channels, [&]<int N>(int64_t c, auto lanes) {
        visit.template operator()<N>(part, first, last, c, lanes);
      });
    }
  });
}

// Two sums a channel over all pixels of terms(pixel, channel) -> (first, second), into sums (2, channels).
template <typename Terms>
void Sum(ffi::ThreadPool& pool, Pixels shape, const Terms& terms, float* sums) {
  const int64_t parts = std::min(kParts, std::max<int64_t>(1, shape.count)), size = 2 * shape.channels;
  std::vector<float> partial(parts * size, 0.0f);
  ForTiles(pool, shape, parts, [&]<int N>(int64_t part, int64_t first, int64_t last, int64_t c, auto lanes) {
    float* mine = partial.data() + part * size + c;
    Vector a[N], b[N];
    for (int n = 0; n < N; ++n) {
      a[n] = Load(mine + n * kLanes, lanes);
      b[n] = Load(mine + shape.channels + n * kLanes, lanes);
    }
    for (int64_t pixel = first; pixel < last; ++pixel)
      for (int n = 0; n < N; ++n)
        terms(pixel * shape.channels + c + n * kLanes, c + n * kLanes, lanes, a[n], b[n]);
    for (int n = 0; n < N; ++n) {
      Store(mine + n * kLanes, a[n], lanes);
      Store(mine + shape.channels + n * kLanes, b[n], lanes);
    }
  });
  for (int64_t i = 0; i < size; ++i) {
    double total = 0.0;
    for (int64_t part = 0; part < parts; ++part) total += partial[part * size + i];
    sums[i] = static_cast<float>(total);
  }
}

template <typename Value>
void Map(ffi::ThreadPool& pool, Pixels shape, const Value& value, float* out) {
  const int64_t parts = std::max<int64_t>(1, std::min<int64_t>(shape.count / kTile, 4 * pool.num_threads()));
  ForTiles(pool, shape, parts, [&]<int N>(int64_t, int64_t first, int64_t last, int64_t c, auto lanes) {
    for (int64_t pixel = first; pixel < last; ++pixel)
      for (int n = 0; n < N; ++n) {
        const int64_t at = pixel * shape.channels + c + n * kLanes;
        Store(out + at, value(at, c + n * kLanes, lanes), lanes);
      }
  });
}

// Sums of x and of x * x.
ffi::Error Moments(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> x, ffi::ResultBuffer<ffi::F32> sums) {
  const float* from = x.typed_data();
  const auto terms = [&](int64_t at, int64_t, auto lanes, Vector& a, Vector& b) {
    const Vector v = Load(from + at, lanes);
    a += v;
    b += v * v;
  };
  Sum(pool, Pixels(x), terms, sums->typed_data());
  return ffi::Error::Success();
}

// activation(x * factor + shift).
ffi::Error Apply(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> x, ffi::Buffer<ffi::F32> factor,
                 ffi::Buffer<ffi::F32> shift, ffi::ResultBuffer<ffi::F32> y, int64_t activation) {
  const float *from = x.typed_data(), *f = factor.typed_data(), *s = shift.typed_data();
  return WithActivation(activation, [&]<typename A>(A) {
    const auto value = [&](int64_t at, int64_t c, auto lanes) {
      return A::Value(Load(from + at, lanes) * Load(f + c, lanes) + Load(s + c, lanes));
    };
    Map(pool, Pixels(x), value, y->typed_data());
  });
}

// With g the gradient before the activation: sums of g and of g * x.
ffi::Error GradientMoments(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> x, ffi::Buffer<ffi::F32> gradient,
                           ffi::Buffer<ffi::F32> factor, ffi::Buffer<ffi::F32> shift,
                           ffi::ResultBuffer<ffi::F32> sums, int64_t activation) {
  const float *from = x.typed_data(), *grad = gradient.typed_data();
  const float *f = factor.typed_data(), *s = shift.typed_data();
  return WithActivation(activation, [&]<typename A>(A) {
    const auto terms = [&](int64_t at, int64_t c, auto lanes, Vector& a, Vector& b) {
      const Vector v = Load(from + at, lanes);
      const Vector g = Load(grad + at, lanes) * A::Slope(v * Load(f + c, lanes) + Load(s + c, lanes));
      a += g;
      b += g * v;
    };
    Sum(pool, Pixels(x), terms, sums->typed_data());
  });
}

// With g as above: g * factor + x * slope + offset, the gradient before the normalisation.
ffi::Error ApplyGradient(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> x, ffi::Buffer<ffi::F32> gradient,
                         ffi::Buffer<ffi::F32> factor, ffi::Buffer<ffi::F32> shift, ffi::Buffer<ffi::F32> slope,
                         ffi::Buffer<ffi::F32> offset, ffi::ResultBuffer<ffi::F32> out, int64_t activation) {
  const float *from = x.typed_data(), *grad = gradient.typed_data();
  const float *f = factor.typed_data(), *s = shift.typed_data();
  const float *b = slope.typed_data(), *o = offset.typed_data();
  return WithActivation(activation, [&]<typename A>(A) {
    const auto value = [&](int64_t at, int64_t c, auto lanes) {
      const Vector v = Load(from + at, lanes), scale = Load(f + c, lanes);
      const Vector g = Load(grad + at, lanes) * A::Slope(v * scale + Load(s + c, lanes));
      return g * scale + v * Load(b + c, lanes) + Load(o + c, lanes);
    };
    Map(pool, Pixels(x), value, out->typed_data());
  });
}

using Images = ffi::Buffer<ffi::F32>;
using Channels = ffi::Buffer<ffi::F32>;

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(norm_moments, Moments,
                              ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Arg<Images>().Ret<Channels>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(norm_apply, Apply,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<Images>()
                                  .Arg<Channels>()
                                  .Arg<Channels>()
                                  .Ret<Images>()
                                  .Attr<int64_t>("activation"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(norm_gradient_moments, GradientMoments,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<Images>()
                                  .Arg<Images>()
                                  .Arg<Channels>()
                                  .Arg<Channels>()
                                  .Ret<Channels>()
                                  .Attr<int64_t>("activation"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(norm_apply_gradient, ApplyGradient,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<Images>()
                                  .Arg<Images>()
                                  .Arg<Channels>()
                                  .Arg<Channels>()
                                  .Arg<Channels>()
                                  .Arg<Channels>()
                                  .Ret<Images>()
                                  .Attr<int64_t>("activation"));

}  // namespace native
