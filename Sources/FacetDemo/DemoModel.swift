import CDemoModel
public import FacetEngine

/// The small model inside the executable; `Tools/demo-model` made it, its model card is there.
public enum DemoModel {
    /// Its checkpoint folder, in memory.
    public static var files: ModelFiles {
        var count = 0
        let first = dm_files(&count)
        let files = UnsafeBufferPointer(start: first, count: count).map { file in
            EmbeddedFile(
                name: String(cString: file.name),
                bytes: UnsafeRawBufferPointer(start: file.bytes, count: file.byteCount))
        }
        return ModelFiles(embedded: files, name: "demo model")
    }
}
