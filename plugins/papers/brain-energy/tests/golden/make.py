"""Makes golden values with nctpy, bctpy and SciPy. Writes beside itself, or to the folder given."""

import json
import pathlib
import sys

import bct
import nctpy
import numpy as np
import scipy
import scipy.linalg
import scipy.stats
from nctpy.energies import get_control_inputs, integrate_u, minimum_energy_fast
from nctpy.metrics import ave_control, modal_control
from nctpy.utils import matrix_normalization

folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
rng = np.random.default_rng(20220104)


def symmetric(n, low):
    m = rng.uniform(low, 1.0, (n, n))
    m = (m + m.T) / 2
    np.fill_diagonal(m, 0)
    return m


cases = []
for n, low in [(3, 0.0), (5, -1.0), (8, 0.0), (10, -0.5), (12, 0.2)]:
    m = symmetric(n, low)
    b = np.where(np.arange(n) % 3 == 0, 1.0, 0.5)
    x0, xf = rng.standard_normal(n), rng.standard_normal(n)
    horizon = 1.0
    continuous = matrix_normalization(m, system="continuous", c=1)
    discrete = matrix_normalization(m, system="discrete", c=1)
    eye, zero = np.eye(n), np.zeros((n, n))
    _, u_min, _ = get_control_inputs(continuous, horizon, np.diag(b), x0, xf, system="continuous", S=zero)
    x_opt, u_opt, _ = get_control_inputs(continuous, horizon, np.diag(b), x0, xf, system="continuous", rho=0.7, S=eye, xr="midpoint")
    community = rng.integers(0, 3, n)
    positive = np.abs(m)
    cases.append({
        "coupling": m.tolist(), "input": b.tolist(), "x0": x0.tolist(), "xf": xf.tolist(), "horizon": horizon,
        "energy_fast": float(minimum_energy_fast(continuous, horizon, np.diag(b), x0, xf).sum()),
        # integrate_u counts samples, which lie 0.001 apart.
        "energy_simulated": float(integrate_u(u_min).sum() * 1e-3),
        "optimal": {"rho": 0.7, "state_middle": x_opt[len(x_opt) // 2].tolist(), "input_energy": float(integrate_u(u_opt).sum() * 1e-3)},
        "exponential": scipy.linalg.expm(3 * continuous).tolist(),
        "average": ave_control(discrete, system="discrete").tolist(),
        "modal": modal_control(discrete).tolist(),
        "community": community.tolist(),
        "strength": bct.strengths_und(positive).tolist(),
        "clustering": bct.clustering_coef_wu(positive).tolist(),
        "path_length": float(bct.charpath(bct.distance_wei(bct.invert(positive))[0])[0]),
        "participation": bct.participation_coef(positive, community + 1).tolist(),
        "modularity": float(bct.modularity_und(positive, kci=community + 1)[1]),
    })

values = rng.standard_normal(9) + 0.6
t = scipy.stats.ttest_1samp(values, 0)
document = {
    "versions": {"nctpy": nctpy.__version__ if hasattr(nctpy, "__version__") else "1.2.0", "numpy": np.__version__, "scipy": scipy.__version__},
    "cases": cases,
    "t_test": {"values": values.tolist(), "t": float(t.statistic), "p": float(t.pvalue)},
}
(folder / "golden.json").write_text(json.dumps(document) + "\n")
