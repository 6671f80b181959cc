extension LibrarySearch {
    /// Opens a library, which stays open as long as the program runs.
    ///
    /// - Parameter cudaMajor: what the driver supports; newer toolkits are left out. Nil when that is not known.
    /// - Returns: the file that was opened.
    /// - Throws: `.libraryMissing` with what was tried and what brings the library.
    public func open(_ library: NVIDIALibrary, cudaMajor: Int? = nil) throws(CUDAError) -> String {
        try OpenLibrary(library, self, cudaMajor: cudaMajor).path
    }
}
