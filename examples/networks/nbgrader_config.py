from proctor.classroom.nbgrader_defaults import use_proctor

c = get_config()
use_proctor(c, course=__file__)
c.CourseDirectory.course_id = "networks"
