import FacetCUDA
import FacetTestSupport
import Foundation
import Testing

/// A machine of stand-in cards, of its own: the library is copied for each, and a copy has memory and faults of its own.
final class FakeMachine {
    let folder: TemporaryFolder
    let path: String
    private let library: UnsafeMutableRawPointer

    /// Makes a machine.
    ///
    /// - Parameter isLazy: whether work runs as late as possible instead of at once.
    init(cards: Int = 2, memory: Int = 64 << 20, isLazy: Bool = false) throws {
        folder = try TemporaryFolder()
        path = try Self.copy(into: folder).path
        library = try #require(dlopen(path, RTLD_NOW | RTLD_LOCAL))
        try call("fake_machine", (@convention(c) (Int32, Int) -> Void).self)(Int32(cards), memory)
        try call("fake_run_lazily", (@convention(c) (Int32) -> Void).self)(isLazy ? 1 : 0)
    }

    /// The search that finds this machine's library, for all four.
    var search: LibrarySearch {
        let settings = NVIDIALibrary.allCases.map { ($0.setting, path) }
        return LibrarySearch(environment: Dictionary(uniqueKeysWithValues: settings))
    }

    func driver() throws -> CUDADriver { try CUDADriver(search) }

    func context(_ index: Int = 0) throws -> CUDAContext { try CUDAContext(driver(), index: index) }

    /// Lets a call fail: the very next one, or the n-th next.
    func fail(_ function: String, _ code: Int, number: Int = 1) throws {
        try call("fake_fail", (@convention(c) (UnsafePointer<CChar>, Int32, Int32) -> Void).self)(
            function, Int32(number), Int32(code))
    }

    func link(_ from: Int, _ to: Int, _ way: Way) throws {
        try call("fake_link", (@convention(c) (Int32, Int32, Int32) -> Void).self)(
            Int32(from), Int32(to), way.rawValue)
    }

    func callCount(_ function: String) throws -> Int {
        Int(try call("fake_calls", (@convention(c) (UnsafePointer<CChar>) -> Int32).self)(function))
    }

    /// What has not been let go of.
    func aliveCount() throws -> Int { Int(try call("fake_alive", (@convention(c) () -> Int32).self)()) }

    func setCompiler(_ major: Int, _ minor: Int) throws {
        try call("fake_compiler_version", (@convention(c) (Int32, Int32) -> Void).self)(Int32(major), Int32(minor))
    }

    enum Way: Int32 {
        case none = 0
        case sound = 1
        case corrupts = 2
        case refuses = 3
    }

    /// The library that the build made, beside the test bundle.
    static func copy(into folder: TemporaryFolder, as name: String = "libfake.so") throws -> URL {
        let built = CommandRun.executable.deletingLastPathComponent().appendingPathComponent("libFakeCUDA.so")
        return try folder.copy(of: built, as: name)
    }

    private func call<Function>(_ name: String, _ type: Function.Type) throws -> Function {
        unsafeBitCast(try #require(dlsym(library, name)), to: type)
    }
}

/// Bytes of a buffer, brought to the host.
func bytes(_ buffer: DeviceBuffer, _ ring: HostRing, _ stream: CUDAStream) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0xAA, count: buffer.byteCount)
    try bytes.withUnsafeMutableBytes { try ring.download(buffer.address, into: $0, on: stream) }
    return bytes
}

/// Bytes that repeat with a long period.
func patternBytes(_ count: Int, seed: Int = 0) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761 &+ seed) >> 7) }
}
