import FacetCUDA
import FacetTestSupport
import Foundation
import Testing

@Suite("Where compiled kernels come from")
struct KernelStoreTests {
    private static let fill = KernelSource(
        name: "fill.cu", text: "__global__ void fill(int *y, int value, int count) {}")
    private static let broken = KernelSource(name: "broken.cu", text: "#error no")
    private static let sources = KernelSources(
        [fill, broken], headers: [KernelSource(name: "dev.cuh", text: "// shared")], options: ["--std=c++17"])

    private let machine: FakeMachine
    private let card = ComputeCapability(8, 9)

    init() throws { machine = try FakeMachine() }

    private func store(
        _ sources: KernelSources = KernelStoreTests.sources, release: String? = nil, cache: String? = nil
    ) -> KernelStore {
        let search = machine.search
        return KernelStore(sources, releaseFolder: release, cacheFolder: cache) { () throws(CUDAError) in
            try NVRTC(search)
        }
    }

    private var cache: String { machine.folder.url.appendingPathComponent("cache/kernels").path }

    @Test("a source is compiled once, kept, and taken from the cache by the next program")
    func cached() throws {
        let first = store(cache: cache)
        let code = try first.code("fill.cu", for: card)
        #expect(code.origin == .compiler(CUDAVersion(12, 9)) && first.cacheFailure == nil)
        #expect(String(decoding: code.bytes.dropFirst().dropLast(), as: UTF8.self) == "ELFfill\n")
        let again = try store(cache: cache).code("fill.cu", for: card)
        guard case .cache(let file) = again.origin else {
            Issue.record("\(again.origin)")
            return
        }
        #expect(again.bytes == code.bytes && file.hasSuffix("/sm_89/fill.cubin"))
        #expect(try machine.callCount("nvrtcCompileProgram") == 1)
        let kept = try FileManager.default.contentsOfDirectory(
            atPath: URL(fileURLWithPath: file).deletingLastPathComponent().path)
        #expect(kept == ["fill.cubin"])
        let context = try machine.context()
        _ = try KernelImage(context, again.bytes, name: file).kernel(
            "fill", on: context, parameterByteCounts: [8, 4, 4])
    }

    @Test("another source, header, option, architecture or compiler is another entry")
    func keys() throws {
        _ = try store(cache: cache).code("fill.cu", for: card)
        let edited = KernelSource(name: "fill.cu", text: Self.fill.text + " ")
        let variants = [
            KernelSources([edited], headers: Self.sources.headers, options: Self.sources.options),
            KernelSources([Self.fill], headers: [], options: Self.sources.options),
            KernelSources([Self.fill], headers: Self.sources.headers, options: []),
        ]
        for variant in variants {
            #expect(try store(variant, cache: cache).code("fill.cu", for: card).origin == .compiler(CUDAVersion(12, 9)))
        }
        #expect(Set(variants.map(\.key)).count == 3)
        let turing = try store(cache: cache).code("fill.cu", for: ComputeCapability(7, 5))
        #expect(turing.origin == .compiler(CUDAVersion(12, 9)))
        try machine.setCompiler(13, 0)
        #expect(try store(cache: cache).code("fill.cu", for: card).origin == .compiler(CUDAVersion(13, 0)))
        try machine.setCompiler(12, 9)
        guard case .cache = try store(cache: cache).code("fill.cu", for: card).origin else {
            Issue.record("the first entry is gone")
            return
        }
    }

    @Test("an entry that was cut or changed is compiled anew")
    func damaged() throws {
        let code = try store(cache: cache).code("fill.cu", for: card)
        guard case .cache(let file) = try store(cache: cache).code("fill.cu", for: card).origin else {
            Issue.record("nothing was kept")
            return
        }
        let whole = try Data(contentsOf: URL(fileURLWithPath: file))
        var changed = whole
        changed[3] ^= 1
        for damaged in [changed, whole.dropLast(), whole.prefix(32), Data()] {
            try damaged.write(to: URL(fileURLWithPath: file))
            let again = try store(cache: cache).code("fill.cu", for: card)
            #expect(again.origin == .compiler(CUDAVersion(12, 9)) && again.bytes == code.bytes)
            #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == whole)
        }
    }

    @Test("what a release carries is taken first, for the card or an older one of its generation, without a compiler")
    func release() throws {
        let folder = machine.folder
        let key = Self.sources.key
        _ = try folder.file("release/kernels-\(key)/sm_86/fill.cubin", Data([1, 2, 3]))
        _ = try folder.file("release/kernels-\(key)/sm_75/fill.cubin", Data([4]))
        let root = folder.url.appendingPathComponent("release").path
        let store = KernelStore(Self.sources, releaseFolder: root, cacheFolder: nil) { () throws(CUDAError) in
            throw .noDevice(visibleDevices: nil)
        }
        #expect(try store.code("fill.cu", for: card).bytes == [1, 2, 3])
        #expect(try store.code("fill.cu", for: ComputeCapability(7, 5)).bytes == [4])
        #expect(throws: CUDAError.noDevice(visibleDevices: nil)) {
            try store.code("fill.cu", for: ComputeCapability(8, 0))
        }
        let other = KernelSources([Self.fill])
        #expect(try self.store(other, release: root).code("fill.cu", for: card).origin == .compiler(CUDAVersion(12, 9)))
    }

    @Test("a source that does not compile is refused with the compiler's words; one that is not there, by name")
    func errors() throws {
        let alive = try machine.aliveCount()
        #expect(
            throws: CUDAError.compilationFailed(
                source: "broken.cu", architecture: "sm_89", log: "NVRTC_ERROR_COMPILATION\nerror: #error was met")
        ) { try store().code("broken.cu", for: card) }
        #expect(try machine.aliveCount() == alive)
        #expect(throws: CUDAError.kernelMissing(kernel: "gone.cu", image: "the program's sources")) {
            try store().code("gone.cu", for: card)
        }
    }

    @Test("a card is served by the newest architecture of its generation that the compiler knows")
    func architectures() throws {
        let supported = [75, 80, 86, 89, 90, 100, 120]
        let cases = [
            ((8, 9), "sm_89"), ((8, 7), "sm_86"), ((9, 0), "sm_90a"), ((12, 1), "sm_120"), ((10, 3), "sm_100"),
        ]
        for ((major, minor), name) in cases {
            let card = ComputeCapability(major, minor)
            #expect(GPUArchitecture(of: card, supported: supported)?.description == name)
        }
        #expect(GPUArchitecture(of: ComputeCapability(13, 0), supported: supported) == nil)
        let error = #expect(throws: CUDAError.self) { try store().code("fill.cu", for: ComputeCapability(13, 0)) }
        #expect(try #require(error).description.contains("newer than NVRTC 12.9 can compile for (up to 12.0)"))
    }

    @Test("a cache that cannot be written keeps nothing and stops nobody")
    func unwritable() throws {
        let file = try machine.folder.emptyFile("taken")
        let store = store(cache: file.path)
        #expect(try store.code("fill.cu", for: card).origin == .compiler(CUDAVersion(12, 9)))
        guard case .unwritable = store.cacheFailure else {
            Issue.record("\(String(describing: store.cacheFailure))")
            return
        }
    }

    @Test("names are the digits of SHA-256, so that other tools can make them")
    func keysAreSHA256() throws {
        // printf 'a.cu\0text\0--opt\0' | sha256sum
        let sources = KernelSources([KernelSource(name: "a.cu", text: "text")], options: ["--opt"])
        #expect(sources.key == "e5aed8c2458691db")
    }
}
