"""What people call the columns of tables; names are compared in lower case and without what is no letter or digit."""

PATHS = (
    *("path", "filepath", "filepaths", "imagepath", "imgpath", "imagefilepath", "fullpath", "relpath", "relativepath"),
    *(
        "filename",
        "filenames",
        "file",
        "imagefile",
        "imagefilename",
        "imgfile",
        "imagename",
        "imgname",
        "image",
        "images",
    ),
    *(
        "img",
        "imageid",
        "imgid",
        "imageindex",
        "isicid",
        "idcode",
        "photo",
        "photoid",
        "picture",
        "fname",
        "name",
        "id",
    ),
    *("patientid", "imagepaths", "imgpaths", "imagenames", "relpaths"),
    *("imagen", "archivo", "bild", "datei", "dateiname", "fichier", "immagine", "imagem", "arquivo"),
    *("文件名", "图片", "图像", "ファイル名", "画像", "изображение", "файл"),
    *("uri", "url", "imageurl", "uuid", "key", "sample", "frame"),
)
LABELS = (  # a rank goes before those after it
    ("label", "labels"),
    (
        *("class", "classname", "classes", "labelname", "category", "categoryname", "species", "target", "breed"),
        *(
            "diagnosis",
            "dx",
            "benignmalignant",
            "tag",
            "tags",
            "findinglabels",
            "findinglabel",
            "classid",
            "labelid",
            "categoryid",
        ),
        *(
            "targetname",
            "groundtruth",
            "gt",
            "choice",
            "sentiment",
            "cultivar",
            "variety",
            "level",
            "grade",
            "classlabel",
        ),
        *("clase", "etiqueta", "klasse", "kategorie", "classe", "etichetta", "categoria", "catégorie", "rótulo"),
        *("类别", "标签", "クラス", "ラベル", "класс", "метка"),
        *("genre", "genres", "attributeids", "labelids", "classids", "finding", "findings", "disease", "diseases"),
        *("imagelabel", "commonname", "scientificname", "expression", "emotion", "annotation", "y", "cls"),
    ),
    ("name", "type", "kind", "id", "index", "wnid", "group"),
)
SPLITS = (
    *("split", "subset", "partition", "set", "dataset", "usage", "phase", "isvalid", "isval", "istest", "istrain"),
    *("isvalidation", "istraining", "istrainingimage", "traintest", "traintestsplit", "fold", "kfold", "folds"),
)
NO_LABELS = frozenset(  # columns beside images that say no class
    {
        *("comment", "comments", "note", "notes", "caption", "text", "description", "title", "date", "time", "source"),
        *("author", "license", "camera", "url", "weight", "width", "height", "size", "mask", "maskpath", "annotator"),
        *("patient", "subject", "group", "site", "hospital"),
    }
)
FLAGS = frozenset({*SPLITS, "iscrowd", "difficult", "truncated", "occluded", "isoccluded", "istruncated", "isgroupof"})
CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("x1", "y1", "x2", "y2"),
    ("x0", "y0", "x1", "y1"),
    ("left", "top", "right", "bottom"),
    ("minx", "miny", "maxx", "maxy"),
    ("xtl", "ytl", "xbr", "ybr"),
    ("bboxxmin", "bboxymin", "bboxxmax", "bboxymax"),
    ("bboxx1", "bboxy1", "bboxx2", "bboxy2"),
)
SIZES = (
    ("x", "y", "w", "h"),
    ("bboxx", "y", "w", "h"),  # of a header such as `bbox [x,y,w,h]`
    ("bboxx", "bboxy", "bboxw", "bboxh"),
    ("bboxx", "bboxy", "bboxwidth", "bboxheight"),
    ("left", "top", "width", "height"),
    ("x", "y", "width", "height"),
    ("xmin", "ymin", "width", "height"),
)
ONE_BOX = ("bbox", "box", "boundingbox")


def plain(name: str) -> str:
    """A column's name in lower case, without what is no letter or digit.

    >>> plain("File_Name"), plain("Image Index"), plain("bbox.x1")
    ('filename', 'imageindex', 'bboxx1')
    """
    return "".join(character for character in name.lower() if character.isalnum())
