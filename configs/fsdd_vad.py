"""Voice activity in noise: a gated, dilated, causal network, its undilated twin, an LSTM; the two scaled.

Data: 1,200 / 30 / 60 streams of 8 s, mixed of spoken digits and household noise, at -5 to 20 dB in training
    and at 5 dB else; the test's noise is not that of training: DIR holds digits.npz and noise.npz
    (scaling/data/fsdd.py).
Paper: doi 10.1109/ICASSP.2018.8461921, arXiv 1609.03499 (WaveNet), rules of 1905.11946. Dated 2026-11-28;
    sized for two CPU cores.
Command: python -m experiments.sweep --config=configs/fsdd_vad.py --workdir=runs/vad --config.data.dir=DIR
Expected: area under the ROC curve over frames of 10 ms: 93.8 % for the dilated network, 91.7 for its twin,
    93.9 for the LSTM, three seeds each; 94.1 for the larger dilated one (experiments/results/fsdd_vad); the
    frames' energy has 83.1. Windows keep their length: gamma is 1.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0
    config.task = "voice_activity"

    config.model = ConfigDict()
    config.model.name = "voice_dilated"
    config.model.alpha = 1.5
    config.model.beta = 1.5
    config.model.gamma = 1.0

    config.data = ConfigDict()
    config.data.source = "fsdd"
    config.data.validation = "validation"

    config.augment = ConfigDict()
    config.augment.gain = 6.0  # decibels; without it the test's other noise costs two points of AUC

    config.optimizer = ConfigDict()
    config.optimizer.name = "adamw"
    config.optimizer.lr = 2e-3
    config.optimizer.lr_batch = 0
    config.optimizer.weight_decay = 1e-2
    config.optimizer.decay = "decoupled"

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"
    config.schedule.warmup = "50 steps"

    config.train = ConfigDict()
    config.train.batch = 16
    config.train.duration = "1500 steps"
    config.train.ema = 0.995
    config.train.eval_every = "300 steps"
    config.train.eval_batch = 10
    config.train.checkpoint_every = "300 steps"
    config.train.log_every = "50 steps"
    return config


def get_sweep() -> list[dict]:
    names = ("voice_dilated", "voice_plain")
    alike = [{"model.name": name, "seed": seed} for name in (*names, "voice_lstm") for seed in range(3)]
    return alike + [{"model.name": name, "model.phi": phi} for name in names for phi in (-1.0, 1.0)]
