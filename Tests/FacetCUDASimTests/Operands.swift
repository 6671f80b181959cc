import FacetCUDA

/// Numbers between -2 and 2 that do not repeat soon.
func values(_ count: Int, seed: Int) -> [Float] {
    (0..<count).map { Float(($0 &* 7919 &+ seed &* 104_729) % 1999) / 500 - 2 }
}

/// Numbers in a card's memory.
func resident(
    _ values: [Float], _ arena: DeviceArena, _ ring: HostRing, _ stream: CUDAStream
) throws -> DeviceBuffer {
    let buffer = try arena.allocate(values.count * 4, label: "operand")
    try values.withUnsafeBytes { try ring.upload($0, to: buffer.address, on: stream) }
    return buffer
}

/// The numbers of a buffer, brought to the host.
func floats(_ buffer: DeviceBuffer, _ ring: HostRing, _ stream: CUDAStream) throws -> [Float] {
    var values = [Float](repeating: .nan, count: buffer.byteCount / 4)
    try values.withUnsafeMutableBytes { try ring.download(buffer.address, into: $0, on: stream) }
    return values
}

/// Bytes of a buffer, brought to the host.
func bytes(_ buffer: DeviceBuffer, _ ring: HostRing, _ stream: CUDAStream) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0xAA, count: buffer.byteCount)
    try bytes.withUnsafeMutableBytes { try ring.download(buffer.address, into: $0, on: stream) }
    return bytes
}

/// Bytes that do not repeat within anything that is copied in parts.
func patternBytes(_ count: Int, seed: Int = 0) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: (($0 &+ seed) &* 2_654_435_761) >> 24) }
}
