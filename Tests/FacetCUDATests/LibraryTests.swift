import FacetCUDA
import FacetTestSupport
import Foundation
import Testing

@Suite("Finding and opening NVIDIA's libraries")
struct LibraryTests {
    @Test("a setting names the one file that is tried")
    func setting() throws {
        let search = LibrarySearch(environment: ["FACET_CUDA_DRIVER": "/nowhere/libcuda.so.1"])
        #expect(search.candidates(.driver) == ["/nowhere/libcuda.so.1"])
        let error = #expect(throws: CUDAError.self) { try CUDADriver(search) }
        guard case .libraryMissing(.driver, ["/nowhere/libcuda.so.1"], let reason, let remedy) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason.contains("No such file"))
        #expect(remedy == "correct FACET_CUDA_DRIVER, or unset it to search")
    }

    @Test("names come first, then toolkits, then Python packages; the newest first, and none newer than the driver")
    func order() throws {
        let folder = try TemporaryFolder()
        let root = folder.url.path
        let files = [
            "local/cuda-12.4/lib64/libnvrtc.so.12", "local/cuda/lib64/libnvrtc.so.13",
            "venv/lib/python3.11/site-packages/nvidia/cu13/lib/libnvrtc.so.13",
            "home/.local/lib/python3.12/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
        ]
        for file in files { _ = try folder.emptyFile(file) }
        let search = LibrarySearch(
            environment: ["VIRTUAL_ENV": "\(root)/venv", "HOME": "\(root)/home"], toolkitParent: "\(root)/local",
            systemPrefix: "\(root)/usr")
        #expect(
            search.candidates(.nvrtc) == [
                "libnvrtc.so.13", "libnvrtc.so.12", "\(root)/\(files[1])", "\(root)/\(files[2])", "\(root)/\(files[0])",
                "\(root)/\(files[3])",
            ])
        #expect(
            search.candidates(.nvrtc, cudaMajor: 12) == [
                "libnvrtc.so.12", "\(root)/\(files[0])", "\(root)/\(files[3])",
            ])
        #expect(search.candidates(.driver) == ["libcuda.so.1"])
    }

    @Test("a missing library is named with what was tried and the package that brings it")
    func missing() throws {
        let folder = try TemporaryFolder()
        let root = folder.url.path
        let file = "cuda/lib64/libnvrtc.so.12"
        _ = try folder.emptyFile(file)
        let search = LibrarySearch(
            environment: [:], toolkitParent: root, systemPrefix: "\(root)/usr", asksLoader: false)
        let error = #expect(throws: CUDAError.self) { try NVRTC(search, cudaMajor: 12) }
        let text = try #require(error).description
        #expect(text.contains("\(root)/\(file)"))
        #expect(text.contains("file too short"))
        #expect(text.contains("pip install nvidia-cuda-nvrtc-cu12"))
        let nothing = LibrarySearch(
            environment: [:], toolkitParent: "/nowhere", systemPrefix: "/nowhere", asksLoader: false)
        let other = #expect(throws: CUDAError.self) { try NVRTC(nothing, cudaMajor: 13) }
        #expect(
            try #require(other).description.contains("pip install nvidia-cuda-nvrtc, or name the file in FACET_NVRTC"))
    }

    @Test(
        "a library that lacks a function is refused with the function's name",
        arguments: [
            ("cuGraphLaunch", NVIDIALibrary.driver), ("cuInit", .driver), ("nvrtcGetCUBIN", .nvrtc),
            ("cublasLtMatmul", .cublasLt), ("nvmlDeviceGetMemoryInfo", .nvml),
        ])
    func missingSymbol(symbol: String, library: NVIDIALibrary) throws {
        let machine = try FakeMachine()
        let file = try renamed(symbol, in: machine.folder)
        let search = LibrarySearch(environment: [library.setting: file.path])
        let error = #expect(throws: CUDAError.self) {
            switch library {
            case .driver: _ = try CUDADriver(search)
            case .nvrtc: _ = try NVRTC(search)
            case .nvml: _ = try NVML(search)
            case .cublasLt:
                let context = try machine.context()
                let arena = try DeviceArena(context, byteCount: 1 << 20)
                _ = try CUBLASLt(context, workspace: arena.allocate(4096, label: "workspace"), search)
            }
        }
        guard case .symbolMissing(library, _, symbol) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("a function newer than CUDA 12.0 may be missing")
    func missingOptionalSymbol() throws {
        let folder = try TemporaryFolder()
        let file = try renamed("cuFuncGetParamInfo", in: folder)
        #expect(try CUDADriver(LibrarySearch(environment: ["FACET_CUDA_DRIVER": file.path])).deviceCount == 2)
    }

    /// A copy of the stand-in whose symbol has another last letter.
    private func renamed(_ symbol: String, in folder: TemporaryFolder) throws -> URL {
        let file = try FakeMachine.copy(into: folder, as: "renamed.so")
        var contents = try Data(contentsOf: file)
        let name = Data([0] + Array(symbol.utf8) + [0])
        var count = 0
        while let range = contents.range(of: name) {
            contents[range.upperBound - 2] = UInt8(ascii: "?")
            count += 1
        }
        try #require(count > 0)
        try contents.write(to: file)
        return file
    }

    @Test("no card is an error that says what CUDA_VISIBLE_DEVICES has to do with it")
    func noCard() throws {
        let machine = try FakeMachine(cards: 0)
        let error = #expect(throws: CUDAError.self) { try machine.driver() }
        guard case .noDevice = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(CUDAError.noDevice(visibleDevices: "7").description.contains("CUDA_VISIBLE_DEVICES is '7'"))
    }
}
