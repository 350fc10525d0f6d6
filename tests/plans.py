"""Plans for tests to which it does not matter what enlarges a picture."""

from scales_cli.pipeline.enlargement import Enlargement
from scales_cli.pipeline.plan import plan_jobs
from scales_cli.pipeline.sizing import Sizing
from scales_cli.weights.family import ModelFamily


def plan_for(inputs, output, scale, *, overwrite=False):
    return plan_jobs(inputs, output, Enlargement(ModelFamily("fake", {}), Sizing(scale)), overwrite=overwrite)
