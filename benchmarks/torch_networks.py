"""Networks in PyTorch to compare with: those of timm, torchvision and efficientnet_pytorch, changed for audio.

They take (batch, 1, bands, frames) and give (batch, CLASSES). NETWORKS has them under the titles of families.py.
"""

import functools
from collections.abc import Callable, Sequence

import timm
import torch
from efficientnet_pytorch import EfficientNet
from timm.models.swin_transformer import SwinTransformer
from timm.models.vision_transformer import Block
from torch import nn
from torchvision.models import mobilenetv3
from torchvision.ops import SqueezeExcitation

CLASSES = 10


class AudioSetConvNeXt(nn.Module):
    """timm's ConvNeXt, changed as by Pellegrini et al., 2023: bn0, stem, pooling, time x frequency."""

    def __init__(self, bands: int):
        super().__init__()
        self.bn0 = nn.BatchNorm2d(bands)
        self.body = timm.create_model("convnext_tiny", in_chans=1, num_classes=CLASSES)
        self.body.stem[0] = nn.Conv2d(1, 96, 4, stride=4, padding=(4, 0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, CLASSES) of (batch, 1, bands, frames)."""
        x = self.bn0(x.transpose(1, 2)).transpose(1, 2).transpose(2, 3)
        x = self.body.stages(self.body.stem(x)).mean(dim=3)
        x = x.max(dim=2)[0] + x.mean(dim=2)
        norm = self.body.head.norm
        return self.body.head.fc(nn.functional.layer_norm(x, x.shape[1:], norm.weight, norm.bias, norm.eps))


class AttentionPooling(nn.Module):
    """Attention pooling of Gong et al., PSLA, 2021, in heads with weights, or one head without."""

    def __init__(self, inputs: int, heads: int, cla: Callable[[torch.Tensor], torch.Tensor]):
        super().__init__()
        att, scores = ([nn.Conv2d(inputs, CLASSES, 1) for _ in range(heads)] for _ in range(2))
        self.att, self.cla = (nn.ModuleList(part) if heads > 1 else part[0] for part in (att, scores))
        self.head_weight = nn.Parameter(torch.full((heads,), 1 / heads)) if heads > 1 else None
        self.activation = cla

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, CLASSES) of (batch, inputs, steps, 1)."""
        if self.head_weight is None:
            return self.head(x, self.att, self.cla)
        pooled = [self.head(x, *convolutions) for convolutions in zip(self.att, self.cla, strict=True)]
        return sum(weight * scores for weight, scores in zip(self.head_weight, pooled, strict=True))

    def head(self, x: torch.Tensor, att: nn.Module, cla: nn.Module) -> torch.Tensor:
        """(batch, CLASSES) of one head."""
        attention = torch.clamp(torch.sigmoid(att(x)), 1e-7, 1 - 1e-7)[..., 0]
        return (attention / attention.sum(2, keepdim=True) * self.activation(cla(x))[..., 0]).sum(2)


class MeanPooling(nn.Module):
    """Mean of the scores of all steps."""

    def __init__(self, inputs: int):
        super().__init__()
        self.cla = nn.Conv2d(inputs, CLASSES, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, CLASSES) of (batch, inputs, steps, 1)."""
        return self.cla(x)[..., 0].mean(2)


class Psla(nn.Module):
    """efficientnet_pytorch's features and a pooling, as in PSLA."""

    def __init__(self, size: str, pooling: Callable[[int], nn.Module]):
        super().__init__()
        self.effnet = EfficientNet.from_name(f"efficientnet-{size}", in_channels=1)
        self.attention = pooling(self.effnet._fc.in_features)
        self.effnet._fc = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, CLASSES) of (batch, 1, bands, frames)."""
        x = self.effnet.extract_features(x)
        return self.attention(nn.functional.avg_pool2d(x, (x.shape[2], 1)).transpose(2, 3))


def mobilenet(
    width: float, strides: tuple[int, int, int, int] = (2, 2, 2, 2), convolutional: bool = False
) -> nn.Module:
    """torchvision's MobileNetV3-large, changed as in EfficientAT: one channel, sigmoid, batch norm, head.

    Args:
        width: Factor of the channels.
        strides: Of the blocks 2, 4, 7 and 13.
        convolutional: Whether the head is fully convolutional.
    """
    blocks, last = mobilenetv3._mobilenet_v3_conf("mobilenet_v3_large", width_mult=width)
    for number, stride in zip((1, 3, 6, 12), strides, strict=True):
        blocks[number].stride = stride
    gate = functools.partial(SqueezeExcitation, scale_activation=nn.Sigmoid)
    block = functools.partial(mobilenetv3.InvertedResidual, se_layer=gate)
    network = mobilenetv3.MobileNetV3(blocks, last, num_classes=CLASSES, block=block)
    stem = network.features[0][0]
    network.features[0][0] = nn.Conv2d(1, stem.out_channels, 3, stride=2, padding=1, bias=False)
    inputs = network.features[-1][0].out_channels
    head = [nn.Conv2d(inputs, CLASSES, 1, bias=False), nn.BatchNorm2d(CLASSES), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if not convolutional:
        head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), *network.classifier]
    return nn.Sequential(network.features, nn.Sequential(*head))


class ResidualBlock(nn.Module):
    """Block of CP-ResNet: two convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, kernels: Sequence[int], groups: int = 1):
        super().__init__()

        def convolved(inputs, kernel):
            convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 3, groups=groups, bias=False)
            return nn.Sequential(convolution, nn.BatchNorm2d(outputs))

        self.inner = nn.Sequential(convolved(inputs, kernels[0]), nn.ReLU(), convolved(outputs, kernels[1]))
        self.shortcut = nn.Identity() if inputs == outputs else convolved(inputs, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, outputs, bands, frames)."""
        return nn.functional.relu(self.inner(x) + self.shortcut(x))


def cp_resnet() -> nn.Module:
    """The small CP-ResNet of width 32 and rho 8, Koutini et al., 2021."""
    stem = [nn.Conv2d(1, 32, 5, stride=2, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)]
    first = [ResidualBlock(32, 32, (3, 1)), nn.MaxPool2d((2, 1)), ResidualBlock(32, 32, (3, 3)), nn.MaxPool2d((2, 1))]
    last = [ResidualBlock(32, 64, (3, 3), groups=2), ResidualBlock(64, 92, (3, 1))]
    head = [nn.Conv2d(92, CLASSES, 1, bias=False), nn.BatchNorm2d(CLASSES), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*stem, *first, *last, *head)


class Passt(nn.Module):
    """PaSST-S without patchout, Koutini et al., 2022, of timm's blocks: patches of 16 x 16, stride 10."""

    def __init__(self, width: int = 768, depth: int = 12, heads: int = 12, grid: tuple[int, int] = (12, 99)):
        super().__init__()
        norm = functools.partial(nn.LayerNorm, eps=1e-6)
        self.patches = nn.Conv2d(1, width, 16, stride=10)
        self.tokens, self.positions = (nn.Parameter(0.02 * torch.randn(1, 2, width)) for _ in range(2))
        self.bands, self.frames = (
            nn.Parameter(0.02 * torch.randn(1, width, *size)) for size in ((grid[0], 1), (1, grid[1]))
        )
        blocks = [Block(width, heads, qkv_bias=True, norm_layer=norm) for _ in range(depth)]
        self.blocks = nn.Sequential(*blocks, norm(width))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, CLASSES))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, CLASSES) of (batch, 1, bands, frames)."""
        x = self.patches(x)
        x = x + self.frames[..., : x.shape[3]] + self.bands
        tokens = (self.tokens + self.positions).expand(len(x), -1, -1)
        x = self.blocks(torch.cat([tokens, x.flatten(2).transpose(1, 2)], dim=1))
        return self.head(x[:, :2].mean(dim=1))


class HtsAt(nn.Module):
    """HTS-AT, Chen et al., 2022, of timm's Swin: 64 bands, tiled and resized to 1024 frames, folded to 256 x 256."""

    def __init__(self, bands: int = 64, size: int = 256):
        super().__init__()
        self.size, self.ratio = size, size // bands
        self.bn0 = nn.BatchNorm2d(bands)
        settings = {"depths": (2, 2, 6, 2), "num_heads": (4, 8, 16, 32), "window_size": 8, "drop_path_rate": 0.1}
        self.body = SwinTransformer(img_size=size, in_chans=1, embed_dim=96, num_classes=0, **settings)
        self.tscam_conv = nn.Conv2d(768, CLASSES, (8 // self.ratio, 3), padding=(0, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, CLASSES) of (batch, 1, bands, frames)."""
        bands, length = x.shape[2], self.size * self.ratio
        x = self.bn0(x.transpose(1, 2)).transpose(1, 2).repeat(1, 1, 1, max(length // x.shape[3], 1))
        x = nn.functional.interpolate(x, (bands, length), mode="bicubic", align_corners=True)
        x = x.reshape(-1, 1, bands, self.ratio, self.size).transpose(2, 3).reshape(-1, 1, self.size, self.size)
        x = self.body.forward_features(x)  # (batch, 8, 8, 768)
        rows = x.shape[1] // self.ratio
        x = x.reshape(len(x), self.ratio, rows, x.shape[2], -1).permute(0, 4, 2, 1, 3).flatten(3)
        return self.tscam_conv(x)[:, :, 0].mean(dim=2)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "CP-ResNet, small": cp_resnet,
    "ConvNeXt-Tiny": functools.partial(
        timm.create_model, "convnext_tiny", in_chans=1, num_classes=CLASSES, drop_path_rate=0.1
    ),
    "EfficientNet-B2, PSLA": functools.partial(
        Psla, "b2", functools.partial(AttentionPooling, heads=4, cla=nn.Identity())
    ),
    "HTS-AT": HtsAt,
    "MN04": functools.partial(mobilenet, 0.4),
    "MN10": functools.partial(mobilenet, 1.0),
    "PaSST-S": Passt,
}
