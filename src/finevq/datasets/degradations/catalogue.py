"""The 27 attributes and the transformation that makes each: one dict literal, name -> fault."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from finevq.datasets.degradations import artifact, blur, codecs, color, noise, temporal
from finevq.datasets.degradations.codecs import CompressionPlan
from finevq.datasets.degradations.footage import ApplyFault, Footage, Stage

PlanCompression: TypeAlias = Callable[[Footage, float, np.random.Generator], CompressionPlan]


@dataclass(frozen=True, slots=True)
class PixelFault:
    """A fault that changes frames directly."""

    stage: Stage
    apply: ApplyFault


@dataclass(frozen=True, slots=True)
class CodecFault:
    """A fault that real encoders make; always of the encoding stage."""

    plan: PlanCompression
    stage: Stage = Stage.ENCODING


FAULTS: Mapping[str, PixelFault | CodecFault] = MappingProxyType(
    {
        "low saturation": PixelFault(Stage.PROCESSING, color.low_saturation),
        "high saturation": PixelFault(Stage.PROCESSING, color.high_saturation),
        "underexposure": PixelFault(Stage.SENSOR, color.underexposure),
        "overexposure": PixelFault(Stage.SENSOR, color.overexposure),
        "low contrast": PixelFault(Stage.PROCESSING, color.low_contrast),
        "high contrast": PixelFault(Stage.PROCESSING, color.high_contrast),
        "other color": PixelFault(Stage.PROCESSING, color.other_color),
        "gaussian noise": PixelFault(Stage.SENSOR, noise.gaussian_noise),
        "impulse noise": PixelFault(Stage.SENSOR, noise.impulse_noise),
        "stripe noise": PixelFault(Stage.SENSOR, noise.stripe_noise),
        "other noise": PixelFault(Stage.SENSOR, noise.other_noise),
        "compression artifact": CodecFault(codecs.compression_artifact),
        "blocking": CodecFault(codecs.blocking),
        "ringing": PixelFault(Stage.PROCESSING, artifact.ringing),
        "moire": PixelFault(Stage.SENSOR, artifact.moire),
        "other artifact": PixelFault(Stage.PROCESSING, artifact.other_artifact),
        "resolution blur": PixelFault(Stage.PROCESSING, blur.resolution_blur),
        "camera blur": PixelFault(Stage.LENS, blur.camera_blur),
        "compression blur": CodecFault(codecs.compression_blur),
        "motion blur": PixelFault(Stage.CAMERA, blur.motion_blur),
        "exposure blur": PixelFault(Stage.LENS, blur.exposure_blur),
        "gaussian blur": PixelFault(Stage.LENS, blur.gaussian_blur),
        "other blur": PixelFault(Stage.LENS, blur.other_blur),
        "shake": PixelFault(Stage.CAMERA, temporal.shake),
        "stutter": PixelFault(Stage.TIMING, temporal.stutter),
        "flicker": PixelFault(Stage.TIMING, temporal.flicker),
        "other temporal": PixelFault(Stage.TIMING, temporal.other_temporal),
    }
)
