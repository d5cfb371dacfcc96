"""What ``placer init`` writes: commented starters, each valid as it stands."""

from __future__ import annotations

INSTANCE = """\
# A starter instance of placer: two boards, a hub, one service. Change it, then run
#   placer plan {file} -o plan.json
# Quantities carry units. `placer schema instance` prints every field; `placer list devices` the device types, and
# `placer show raspberry-pi-4b` one of them.
format: placer/instance/1
devices:
  # type: a shipped device type, or a file beside this one. buffer: jobs in the device, the one in service included.
  - {{name: camera, type: raspberry-pi-3a-plus, position: [0 m, 0 m], buffer: 10}}
  - {{name: hub, type: raspberry-pi-4b, position: [15 m, 5 m], buffer: 50}}
  # Memory that the system keeps, and a margin on times that were not measured, are fields of a device too:
  - name: spare
    type: raspberry-pi-4b
    position: [20 m, 0 m]
    reserve: {{memory: 500 MiB, processor: 10 %}}
    margin: 20 %
    # tolerations: ["edge=true:NoSchedule"] # taints of its Kubernetes node
  # - {{name: cam, type: esp32-s3, replicas: 20}} # cam-1 … cam-20; wherever devices are named, cam-* is all of them
network:
  radios:
    - {{technology: wifi-n, range: 30 m}} # devices in range share airtime, unless contention: false
  # links:
  #   - {{between: [hub, cloud], rate: {{up: 5 Mbit/s, down: 50 Mbit/s}}, latency: 15 ms}}
services:
  - name: pictures
    model: alexnet # a shipped model, or a file beside this one (see `placer profile`)
    source: camera # where inputs arise; sources: cam-* makes a service for each
    sink: hub # who wants the answer
    arrivals: 2 /s # Poisson; also {{process: periodic, rate: 2 /s}}, mmpp or trace
    deadline: 500 ms
    # input: 60 kB # of the picture as it travels; decode: 8 ms
    # pins: {{conv1: camera, fc6..fc8: hub}}
    # forbid: {{"*": [spare]}}
    # privacy: {{until: conv3, zone: [camera, hub]}}
limits:
  utilisation: 80 % # of each compute unit, from the arrival rates
  # layers: 4 # at most so many layers on a device
objective: latency # or latency-worst, throughput, energy; a list is taken in order
# deployment: # needed by `placer export`
#   image: registry.example/edge-node:1.0
#   pull_policy: IfNotPresent
#   health: {{port: 9090, path: /healthz}} # where containers say that they are well
"""

DEVICE = """\
# A starter device type of placer. Change it, put it beside an instance and name it there: type: {name}
# Every figure needs a source; name those that are assumed. `placer schema device-type` prints every field.
format: placer/device-type/1
name: {name}
title: My board
source: where the figures come from
memory: 2 GB
# flash: 8 MB # a separate store that holds the weights, of microcontrollers
reserve: {{memory: 300 MB}} # what the system keeps
# runtime: ncnn # what a process takes beside weights and tensors; placer list runtimes
architecture: arm64 # or amd64, arm, riscv64, mcu (no containers: kubelet: false)
# power: {{idle: 2 W, load: 6 W}} # without it energy is unknown
units:
  - name: cpu
    cores: 4
    # multiply-accumulates per second, the last resort; measured speeds of model families are better, and measured
    # times of layers (in model files, times: {{{name}: 3 ms}}) best
    speed: 4 GMAC/s
    # speeds: {{alexnet: 6.2 GMAC/s}}
  # - {{name: npu, accelerator: hailo, speed: 1 TMAC/s, servers: 2, memory: 512 MB}} # containers ask for it
assumed: [memory, reserve]
"""

MODEL = """\
# A starter model of placer: layers in the order in which one device runs them. Put it beside an instance and name it
# there: model: {name}. `placer profile MODEL.onnx` makes such a file; `placer schema model` prints every field.
format: placer/model/1
name: {name}
title: My network
source: where the figures come from
input: 150528 B # of the tensor that the first layer reads
activations: lifetimes # working memory: the tensors alive while each layer runs; or activations of each layer
layers:
  - {{name: conv1, kind: conv, compute: 90 MMAC, weights: 35 kB, output: 200 kB}}
  # times: measured seconds by device type (or type/unit); they win over work and speed; so does
  # energy: {{raspberry-pi-4b: 90 mJ}} (above idle) over power; `placer calibrate` makes both from your measurements
  - {{name: conv2, kind: conv, compute: 220 MMAC, weights: 600 kB, output: 90 kB, times: {{raspberry-pi-4b: 31 ms}}}}
  # inputs: what a layer reads, where it is not the layer before it
  - {{name: skip, kind: conv, compute: 10 MMAC, weights: 8 kB, output: 90 kB, inputs: [conv1]}}
  - {{name: sum, kind: add, compute: 0 MAC, output: 90 kB, inputs: [conv2, skip]}}
  - {{name: fc, kind: fc, compute: 4 MMAC, weights: 16 MB, output: 4 kB}}
# exits: [{{after: sum, share: 30 %, accuracy: 91 %}}]
# accuracy: 95 %
"""

STARTERS = {"instance": INSTANCE, "device": DEVICE, "model": MODEL}
