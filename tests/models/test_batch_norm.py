"""Batch norm's own gradient is the true one, on one device and over several."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.models.batch_norm import normalize
from scaling.models.layers import BatchNorm, Settings

EPS = 1e-3


def inputs(batch: int = 4):
    rng = np.random.default_rng(0)
    x_nhwc = rng.normal(1.0, 2.0, size=(batch, 3, 2, 5)).astype(np.float32)
    scale_c, bias_c = (rng.normal(size=5).astype(np.float32) for _ in range(2))
    return x_nhwc, scale_c, bias_c


def plain(x_nhwc, scale_c, bias_c):
    """The formula, as a paper writes it; its gradient is JAX's."""
    mean_c = jnp.mean(x_nhwc, (0, 1, 2))
    variance_c = jnp.mean((x_nhwc - mean_c) ** 2, (0, 1, 2))
    return (x_nhwc - mean_c) / jnp.sqrt(variance_c + EPS) * scale_c + bias_c, mean_c, variance_c


def weigh(y_nhwc, weights_nhwc):
    """A loss whose gradient differs at every pixel."""
    return jnp.sum(jnp.sin(y_nhwc) * weights_nhwc)


def weights(x_nhwc) -> np.ndarray:
    return np.cos(np.arange(x_nhwc.size, dtype=np.float32)).reshape(x_nhwc.shape)


def with_gradients(function, *arguments):
    """(y, mean, variance), and the gradients to image, scale and bias."""

    def loss(x_nhwc, scale_c, bias_c, weights_nhwc):
        outputs = function(x_nhwc, scale_c, bias_c)
        return weigh(outputs[0], weights_nhwc), outputs

    gradients, outputs = jax.grad(loss, argnums=(0, 1, 2), has_aux=True)(*arguments)
    return *outputs, *gradients


@pytest.fixture(scope="module")
def expected():
    x_nhwc, scale_c, bias_c = inputs()
    return jax.jit(lambda *a: with_gradients(plain, *a))(x_nhwc, scale_c, bias_c, weights(x_nhwc))


def test_equals_the_formula_in_value_and_gradient(expected, assert_close):
    x_nhwc, scale_c, bias_c = inputs()
    function = lambda *a: normalize(*a, EPS, None)
    ours = jax.jit(lambda *a: with_gradients(function, *a))(x_nhwc, scale_c, bias_c, weights(x_nhwc))
    assert_close(ours, expected, 1e-5)


@pytest.mark.parametrize("devices", [2, 4])
def test_synced_over_devices_equals_one_device_with_the_whole_batch(devices, expected, assert_close):
    x_nhwc, scale_c, bias_c = inputs()
    cut = lambda a: a.reshape(devices, -1, *a.shape[1:])
    function = lambda *a: normalize(*a, EPS, "batch")
    run = jax.pmap(lambda *a: with_gradients(function, *a), "batch", in_axes=(0, None, None, 0))
    y, mean, variance, grad_x, grad_scale, grad_bias = run(cut(x_nhwc), scale_c, bias_c, cut(weights(x_nhwc)))
    join = lambda a: a.reshape(x_nhwc.shape)
    # Gradients of parameters are each device's share: the training step adds them up.
    gradients = (join(grad_x), grad_scale.sum(0), grad_bias.sum(0))
    assert_close((join(y), mean[0], variance[0], *gradients), expected, 1e-5)
    assert_close(mean[-1], mean[0], 0.0)


def test_not_synced_devices_differ(expected):
    x_nhwc, scale_c, bias_c = inputs()
    half = normalize(x_nhwc[:2], scale_c, bias_c, EPS, None)[0]
    assert np.abs(half - expected[0][:2]).max() > 0.01


def test_a_constant_channel_is_finite():
    x_nhwc = np.full((2, 2, 2, 3), 1e3, np.float32)
    y, _, variance = normalize(x_nhwc, np.ones(3, np.float32), np.zeros(3, np.float32), EPS, None)
    assert np.all(variance >= 0) and np.all(np.isfinite(y))


def test_bfloat16_images_have_float32_statistics(expected):
    x_nhwc, scale_c, bias_c = inputs()
    y, mean, variance = normalize(jnp.asarray(x_nhwc, jnp.bfloat16), scale_c, bias_c, EPS, None)
    assert y.dtype == jnp.bfloat16 and mean.dtype == variance.dtype == jnp.float32
    np.testing.assert_allclose(mean, expected[1], rtol=0, atol=0.02)


class TestRunningStatistics:
    settings = Settings(momentum=0.75, eps=EPS)

    def update(self, x_nhwc, settings, mean=0.5, var=2.0):
        layer = BatchNorm(settings)
        params = {"scale": np.ones(5, np.float32), "bias": np.zeros(5, np.float32)}
        statistics = {"mean": np.full(5, mean, np.float32), "var": np.full(5, var, np.float32)}
        variables = {"params": params, "batch_stats": statistics}
        return layer.apply(variables, x_nhwc, True, mutable=["batch_stats"])[1]["batch_stats"]

    def test_decay_towards_the_mean_and_the_unbiased_variance(self):
        x_nhwc = inputs()[0]
        new = self.update(x_nhwc, self.settings)
        mean, variance = x_nhwc.mean((0, 1, 2)), x_nhwc.var((0, 1, 2), ddof=1)
        np.testing.assert_allclose(new["mean"], 0.75 * 0.5 + 0.25 * mean, rtol=1e-5)
        np.testing.assert_allclose(new["var"], 0.75 * 2.0 + 0.25 * variance, rtol=1e-5)

    def test_synced_statistics_are_unbiased_over_all_devices(self, assert_close):
        x_nhwc = inputs()[0]
        synced = Settings(momentum=0.75, eps=EPS, axis_name="batch")
        new = jax.pmap(lambda x: self.update(x, synced), "batch")(x_nhwc.reshape(4, 1, *x_nhwc.shape[1:]))
        whole = self.update(x_nhwc, self.settings)
        assert_close(jax.tree.map(lambda a: a[0], new), whole, 1e-5)
        assert_close(jax.tree.map(lambda a: a[3], new), whole, 1e-5)

    def test_evaluation_uses_them_and_keeps_them(self):
        x_nhwc = inputs()[0]
        layer = BatchNorm(self.settings)
        statistics = {"mean": np.full(5, 0.5, np.float32), "var": np.full(5, 2.0, np.float32)}
        params = {"scale": np.full(5, 3.0, np.float32), "bias": np.ones(5, np.float32)}
        variables = {"params": params, "batch_stats": statistics}
        y_nhwc, new = layer.apply(variables, x_nhwc, False, mutable=["batch_stats"])
        np.testing.assert_allclose(y_nhwc, (x_nhwc - 0.5) / np.sqrt(2.0 + EPS) * 3 + 1, rtol=1e-4, atol=1e-5)
        jax.tree.map(np.testing.assert_array_equal, new["batch_stats"], statistics)
